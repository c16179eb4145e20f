import type { Rng } from "../../numeric/rng.ts";

const HARMONICS = 20;
/** Pitch of a voice and of the swelling of its syllables, as a share of the sampling rate. */
const PITCH = [0.006, 0.016] as const;
const SYLLABLE = 1 / 4000;
const NOISE = 0.01;
const LOUDNESS = 0.1;

/** A voice-like sound in [-1, 1]: harmonics that fall off as 1/k, swelling and fading, over quiet noise. */
export const voice = (rng: Rng, length: number): Float32Array => {
  const pitch = PITCH[0] + (PITCH[1] - PITCH[0]) * rng.uniform();
  const phases = Array.from({ length: HARMONICS }, () => 2 * Math.PI * rng.uniform());
  const start = rng.uniform();
  return Float32Array.from({ length }, (_, t) => {
    const swell = 0.5 + 0.5 * Math.sin(2 * Math.PI * (start + SYLLABLE * t));
    let sum = 0;
    for (let k = 1; k <= HARMONICS; k++)
      if (k * pitch < 0.5) sum += Math.sin(2 * Math.PI * k * pitch * t + phases[k - 1]) / k;
    return Math.max(-1, Math.min(1, LOUDNESS * swell * sum + NOISE * rng.normal()));
  });
};
