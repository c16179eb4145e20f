import type { Score } from "./score.ts";

/** |w|. Source: Han et al. 2015, arXiv:1506.02626. */
export const magnitudeScore: Score = ({ w }) => w.map(Math.abs);
