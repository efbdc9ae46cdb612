/** Numbers and times as people read them, and text from elsewhere made safe for a terminal. */

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `576 MiB`, `1.5 GiB`; whole numbers where the unit is small enough to be read so. */
export function formatBytes(bytes: number): string {
  const power = powerOf(bytes);
  return `${inUnit(bytes, power)} ${binary[power] ?? ''}`;
}

/** `352 of 576 MiB`: both in the unit of the whole. */
export function formatPart(part: number, whole: number): string {
  const power = powerOf(whole);
  return `${inUnit(part, power)} of ${inUnit(whole, power)} ${binary[power] ?? ''}`;
}

function powerOf(bytes: number): number {
  if (bytes < 1024) return 0;
  return Math.min(binary.length - 1, Math.floor(Math.log2(bytes) / 10));
}

function inUnit(bytes: number, power: number): string {
  const value = bytes / 1024 ** power;
  return power > 0 && value < 10 && value !== Math.trunc(value) ? value.toFixed(1) : String(Math.floor(value));
}

const decimal = ['B/s', 'kB/s', 'MB/s', 'GB/s'] as const;

/** `112 MB/s`: a line's rate is counted in thousands, as a network's is. */
export function formatRate(bytesPerSecond: number): string {
  let value = bytesPerSecond;
  let unit = 0;
  while (value >= 1000 && unit < decimal.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 10 ? value.toFixed(1) : String(Math.round(value))} ${decimal[unit] ?? ''}`;
}

/** `0.3 s`, `12.4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatMs(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return two(seconds, 60, 'min', 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return two(minutes, 60, 'h', 'min');
  return two(Math.round(minutes / 60), 24, 'd', 'h');
}

function two(value: number, base: number, large: string, small: string): string {
  const rest = value % base;
  const first = `${Math.floor(value / base)} ${large}`;
  return rest === 0 ? first : `${first} ${rest} ${small}`;
}

/** The time of day of an ISO 8601 moment, in this machine's zone; as it is when it is no moment. */
export function formatClock(iso: string | number): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return clean(String(iso));
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** Date and time of day in this machine's zone, without seconds. */
export function formatMoment(iso: string | null): string {
  return iso === null ? '' : formatSecond(iso).replace(/:\d\d$/, '');
}

/** The same with seconds; as it is when it is no moment. */
export function formatSecond(iso: string | number): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return clean(String(iso));
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, '0'));
  return `${day.join('-')} ${formatClock(iso)}`;
}

/** Text that a host or a guest chose, without what could steer a terminal. */
export function clean(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

/** Columns padded to their widest cell, two blanks apart; the last one is not padded. */
export function formatTable(head: string[], rows: string[][]): string[] {
  const lines = [head, ...rows].map((row) => row.map(clean));
  const widths = head.map((_, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)));
  return lines.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
