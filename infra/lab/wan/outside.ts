import { execa } from 'execa';

const mostLabs = 60;

/** A cable from this machine to a site, which nothing holds up. */
export interface Cable {
  /** This machine's address, as the site reaches it. */
  outside: string;
}

/** Joins this machine to the sites whose namespaces these are. The cables go with the namespaces. */
export async function joinOutside(namespaces: readonly [string, string]): Promise<[Cable, Cable]> {
  const number = await claim(namespaces[0]);
  await execa('ip', [
    'link',
    'add',
    cable(number, 1),
    'type',
    'veth',
    'peer',
    'name',
    'outside',
    'netns',
    namespaces[1],
  ]);
  const join = async (namespace: string, end: 0 | 1): Promise<Cable> => {
    const [here, there] = [
      `10.80.${String(number)}.${String(4 * end + 1)}`,
      `10.80.${String(number)}.${String(4 * end + 2)}`,
    ];
    const name = cable(number, end);
    await execa('ip', ['-batch', '-'], { input: `addr add ${here}/30 dev ${name}\nlink set ${name} up\n` });
    const lines = [`addr add ${there}/30 dev outside`, 'link set outside up', 'link set lo up'];
    await execa('nsenter', [`--net=${namespace}`, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
    return { outside: here };
  };
  return [await join(namespaces[0], 0), await join(namespaces[1], 1)];
}

/** The kernel makes a cable of a name for one caller only. */
async function claim(namespace: string): Promise<number> {
  for (let number = 0; number < mostLabs; number += 1) {
    const words = ['link', 'add', cable(number, 0), 'type', 'veth', 'peer', 'name', 'outside', 'netns', namespace];
    const made = await execa('ip', words, { reject: false });
    if (made.exitCode === 0) return number;
    if (!made.stderr.includes('File exists')) throw new Error(`no cable can be laid: ${made.stderr}`);
  }
  throw new Error(`${String(mostLabs)} labs are up on this machine`);
}

function cable(number: number, end: 0 | 1): string {
  return `slw${String(number)}${'ab'.charAt(end)}`;
}
