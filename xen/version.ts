/** Whether one version of Xen (`4.17.7`) is older than another by its major or minor number; what stands behind them are repairs. */
export function olderXen(one: string, than: string): boolean {
  const [[major, minor], [otherMajor, otherMinor]] = [numbers(one), numbers(than)];
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

function numbers(version: string): [major: number, minor: number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}
