import type { ProgressEvent } from "@espalier/core";
import type { Output } from "./io.ts";

/** Tells on stderr what a long run is doing. */
export interface Progress {
  event(event: ProgressEvent): void;
  /** A line of its own, above the progress. */
  line(text: string): void;
  /** Takes the progress line away. */
  stop(): void;
}

interface Task {
  readonly name: string;
  done: number;
  total?: number;
  note?: string;
}

const BAR = 16;
/** Redrawing more often flickers. */
const DRAW_MS = 80;
/** Plain logs say no more often how far a task is … */
const LINE_MS = 5000;
/** … and no more often what it has come to. */
const NEXT_MS = 2000;

const bar = (share: number) => {
  const full = Math.floor(Math.min(1, share) * BAR);
  return `${"█".repeat(full)}${"░".repeat(BAR - full)}`;
};

const text = ({ name, done, total, note }: Task, drawn: boolean): string => {
  const far = done === 0 && !note ? "" : total === undefined ? ` ${done}` : ` ${done}/${total}`;
  const shown = drawn && total ? ` ${bar(done / total)}` : "";
  return `${name}${shown}${far}${note ? ` ${note}` : ""}`;
};

/** Follows tasks that begin and end inside one another. */
const taskStack = () => {
  const tasks: Task[] = [];
  return {
    tasks,
    take(event: ProgressEvent) {
      const at = tasks.findLastIndex(({ name }) => name === event.task);
      if (event.kind === "end") {
        if (at >= 0) tasks.length = at;
        return;
      }
      if (event.kind === "start" || at < 0) tasks.push({ name: event.task, done: 0 });
      else tasks.length = at + 1;
      const task = tasks[tasks.length - 1];
      if (event.total !== undefined) task.total = event.total;
      if (event.kind === "start") return;
      task.done = event.done;
      if (event.note === undefined) delete task.note;
      else task.note = event.note;
    },
  };
};

const drawnProgress = (stderr: Output): Progress => {
  const { tasks, take } = taskStack();
  let drawn = 0;
  let shown = false;
  const clear = () => {
    if (shown) stderr.write("\r\x1b[K");
    shown = false;
  };
  const draw = () => {
    const width = (stderr.columns ?? 80) - 1;
    const line = tasks.map((task, i) => text(task, i === tasks.length - 1)).join(" › ");
    stderr.write(`\r${line.slice(0, width)}\x1b[K`);
    shown = true;
  };
  return {
    event(event) {
      take(event);
      const now = performance.now();
      if (tasks.length === 0) return clear();
      if (event.kind === "end" || now - drawn < DRAW_MS) return;
      drawn = now;
      draw();
    },
    line(line) {
      clear();
      stderr.write(`${line}\n`);
    },
    stop: clear,
  };
};

const plainProgress = (stderr: Output): Progress => {
  const { tasks, take } = taskStack();
  let told = performance.now();
  let noted = Number.NEGATIVE_INFINITY;
  const tell = (line: string) => {
    told = performance.now();
    stderr.write(`${line}\n`);
  };
  return {
    event(event) {
      const before = tasks[0]?.note;
      take(event);
      if (tasks.length === 0 || event.kind === "end") return;
      const now = performance.now();
      const next = tasks.length === 1 && tasks[0].note !== before && now - noted >= NEXT_MS;
      if (next) noted = now;
      const begins = tasks.length === 1 && event.kind === "start";
      if (begins || next || now - told >= LINE_MS) tell(tasks.map((task) => text(task, false)).join(" › "));
    },
    line: tell,
    stop: () => undefined,
  };
};

/** A line that is drawn again and again on a terminal; plain lines, few of them, elsewhere. */
export const progressOn = (stderr: Output): Progress => (stderr.isTTY ? drawnProgress(stderr) : plainProgress(stderr));
