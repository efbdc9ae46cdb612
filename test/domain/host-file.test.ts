import { describe, expect, test } from '@jest/globals';
import { parseHostFile, printHostFile } from '../../domain/host-file.ts';
import { isSealiftError } from '../../domain/error.ts';

const smallest = `
name = "lon-1"
site = "london"
state = "/var/lib/sealift"
landing = { address = "203.0.113.7", port = 7410 }
[[pool]]
name = "fast"
kind = "folder"
path = "/srv/fast"
`;

describe("a host's file", () => {
  test('has defaults for all but who and where', () => {
    expect(parseHostFile(smallest, 'host.toml')).toMatchObject({
      fence: 'immutable',
      xen: { xl: 'xl', etc: '/etc/xen', limit_seconds: 30 },
      limits: { moves: 2 },
      peer: [],
    });
  });

  test('fences by permission bits only where it says that domains are confined', () => {
    const file = parseHostFile(`fence = "permissions"\n${smallest}[xen]\nconfined = true\n`, 'host.toml');
    expect(file).toMatchObject({ fence: 'permissions', xen: { confined: true } });
  });

  test('printed and read again is the same', () => {
    const file = parseHostFile(smallest, 'host.toml');
    expect(parseHostFile(printHostFile(file), 'again')).toEqual(file);
  });

  test.each([
    ['name = ', 'host.toml:1:8: not TOML'],
    [smallest.replace('london', 'Lon don'), 'host.toml: site: not a host name (a-z, 0-9, "." and "-")'],
    [smallest.replace('/srv/fast', 'srv'), 'host.toml: pool.0.path: must be an absolute path'],
    [smallest.replace('port = 7410', 'port = 70000'), 'host.toml: landing.port: '],
    [`unknown = 1\n${smallest}`, 'host.toml: : Unrecognized key: "unknown"'],
    [`fence = "permissions"\n${smallest}`, 'host.toml: fence: "permissions" stops nobody where domains run as root'],
    [smallest.replace('203.0.113.7', '-oProxyCommand=x'), 'host.toml: landing.address: not an address'],
  ])('names the line or the field that does not fit', (text, message) => {
    const error = caught(() => parseHostFile(text, 'host.toml'));
    expect(isSealiftError(error) && error.type).toBe('bad-config');
    expect((error as Error).message).toContain(message);
  });
});

function caught(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
