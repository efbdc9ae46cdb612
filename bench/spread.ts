/** The median of what took `all` milliseconds, with the least and the most, in seconds. */
export function spread(all: number[]): string {
  const sorted = [...all].sort((a, b) => a - b);
  const [least, median, most] = [0, Math.floor(sorted.length / 2), -1].map((place) =>
    ((sorted.at(place) ?? 0) / 1000).toFixed(1),
  );
  return `${String(median)} (${String(least)}–${String(most)}) s`;
}
