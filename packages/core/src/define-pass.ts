import { checkAborted } from "./abort.ts";
import { EspalierError } from "./errors.ts";
import { type LayerObserver, type Pass, stages, type ValueObserver } from "./pass.ts";

const NAME = /^[a-z0-9@][a-z0-9@._-]*(\/[a-z0-9][a-z0-9._-]*)+$/;

type Observing<Stats, Watch> = Omit<Pass<Stats>, "observe"> & { readonly observe?: Watch };

/** One form for each kind of observer, so that the parameters of its functions need no types of their own. */
interface DefinePass {
  <Stats = unknown>(pass: Observing<Stats, LayerObserver<Stats>>): Pass<Stats>;
  <Stats = unknown>(pass: Observing<Stats, ValueObserver<Stats>>): Pass<Stats>;
  <Stats = unknown>(pass: Pass<Stats>): Pass<Stats>;
}

/**
 * A pass from its parts, checked and frozen, that does not start once its signal was raised.
 *
 * @throws EspalierError `BAD_OPTION` for a name that is not "package/method" in lower case, or an unknown stage
 */
export const definePass: DefinePass = <Stats = unknown>(pass: Pass<Stats>): Pass<Stats> => {
  if (!NAME.test(pass.name)) {
    throw new EspalierError(
      "BAD_OPTION",
      "core/pass",
      `"${pass.name}" is no name of a pass. Name it "package/method", in lower case.`,
    );
  }
  if (!stages.includes(pass.stage)) {
    throw new EspalierError(
      "BAD_OPTION",
      pass.name,
      `stage "${pass.stage}" is unknown. Choose one of ${stages.join(", ")}.`,
    );
  }
  return Object.freeze({
    ...pass,
    async apply(model, ctx, stats) {
      checkAborted(pass.name, ctx.signal);
      return pass.apply(model, ctx, stats);
    },
  } satisfies Pass<Stats>);
};
