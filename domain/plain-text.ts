/** An absolute path, as it stands in a line of text. */
const path = /(?<![\w.:/…])(?:\/[^\s/:;,'"()]+)+\/?/g;

/** A line with every absolute path cut to its last name: what leaves a host for Temporal shows nothing of its folders. */
export function hidePaths(text: string): string {
  return text.replaceAll(path, (found) => `…/${found.split('/').filter(Boolean).at(-1) ?? ''}`);
}
