import type { Role } from "./input-roles.ts";

/** What a report says of an input that was made up. */
export const describeRole = (role: Role): string => {
  switch (role.kind) {
    case "state":
      return role.output ? `zeros, then "${role.output}" of the sample before` : "zeros";
    case "ids":
      return `random ids below ${role.rows}`;
    case "mask":
      return "a mask that hides nothing";
    case "types":
      return "zeros";
    case "positions":
      return "positions in order";
    case "lengths":
      return "the length of the sequence";
    case "timestep":
      return "random steps below 1000";
    case "flag":
      return "whether there is a past";
    case "audio":
      return "a voice-like sound in [-1, 1]";
    case "gaussian":
      return "Gaussian noise";
    case "choice":
      return `one of ${role.values.join(", ")} that the model runs with`;
    case "image":
      return `drawn pictures of discs and writing in ${role.peak === 1 ? "[-1, 1]" : "0..255"}`;
  }
};
