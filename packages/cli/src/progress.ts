import type { ProgressEvent } from "@espalier/core";
import type { SingleBar } from "cli-progress";
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
const FRAMES_PER_SECOND = 12;
/** Plain logs say no more often how far a task is … */
const LINE_MS = 5000;
/** … and no more often what it has come to. */
const NEXT_MS = 2000;

const text = ({ name, done, total, note }: Task): string => {
  const far = done === 0 && !note ? "" : total === undefined ? ` ${done}` : ` ${done}/${total}`;
  return `${name}${far}${note ? ` ${note}` : ""}`;
};

type Note = Extract<ProgressEvent, { kind: "note" }>;

const noteOf = ({ task, text }: Note): string => `${task}  ${text}`;

/** Follows tasks that begin and end inside one another. */
const taskStack = () => {
  const tasks: Task[] = [];
  return {
    tasks,
    take(event: Exclude<ProgressEvent, Note>) {
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

const drawnProgress = async (stderr: Output): Promise<Progress> => {
  const { SingleBar } = (await import("cli-progress")).default;
  const { tasks, take } = taskStack();
  const stream = {
    isTTY: true,
    write: (part: string) => stderr.write(part),
    // a terminal wraps when its last column is written
    get columns() {
      return (stderr.columns ?? 80) - 1;
    },
  };
  const barOf = (counted: boolean) =>
    new SingleBar({
      stream: stream as unknown as NodeJS.WritableStream,
      format: counted ? "{path} {bar} {value}/{total} {note}" : "{path} {value} {note}",
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: BAR,
      fps: FRAMES_PER_SECOND,
      clearOnComplete: true,
      linewrap: true,
    });
  let drawn: { readonly bar: SingleBar; readonly counted: boolean } | undefined;
  const stop = () => {
    drawn?.bar.stop();
    drawn = undefined;
  };
  const line = (text: string) => {
    stop();
    stderr.write(`${text}\n`);
  };
  return {
    event(event) {
      if (event.kind === "note") return line(noteOf(event));
      take(event);
      const task = tasks.at(-1);
      if (!task) return stop();
      const { name, done, total = 0, note = "" } = task;
      const shown = { path: [...tasks.slice(0, -1).map(text), name].join(" › "), note };
      const counted = total > 0;
      if (drawn?.counted === counted) {
        drawn.bar.setTotal(total);
        drawn.bar.update(done, shown);
      } else {
        stop();
        drawn = { bar: barOf(counted), counted };
        drawn.bar.start(total, done, shown);
      }
    },
    line,
    stop,
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
      if (event.kind === "note") return tell(noteOf(event));
      const before = tasks[0]?.note;
      take(event);
      if (tasks.length === 0 || event.kind === "end") return;
      const now = performance.now();
      const next = tasks.length === 1 && tasks[0].note !== before && now - noted >= NEXT_MS;
      if (next) noted = now;
      const begins = tasks.length === 1 && event.kind === "start";
      if (begins || next || now - told >= LINE_MS) tell(tasks.map(text).join(" › "));
    },
    line: tell,
    stop: () => undefined,
  };
};

/** A line that is drawn again and again on a terminal; plain lines, few of them, elsewhere. */
export const progressOn = async (stderr: Output): Promise<Progress> =>
  stderr.isTTY ? drawnProgress(stderr) : plainProgress(stderr);
