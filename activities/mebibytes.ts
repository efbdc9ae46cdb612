/** Bytes as whole MiB for a line. */
export function mebibytes(bytes: number, round: (value: number) => number): string {
  return String(round(bytes / 2 ** 20));
}
