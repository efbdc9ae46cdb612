/**
 * How many features of a processor another one lacks, by what `xl info` says of both (`hw_caps`: words of bits in hexadecimal). A guest that runs
 * knows which it has, and may use any of them at any moment.
 */
export function lackingFeatures(here: string, there: string): number {
  const theirs = words(there);
  return words(here).reduce((count, word, index) => count + bits(word & ~(theirs[index] ?? 0)), 0);
}

function words(features: string): number[] {
  return features.split(':').map((word) => Number.parseInt(word, 16) | 0);
}

function bits(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest > 0; rest = (rest & (rest - 1)) >>> 0) count += 1;
  return count;
}
