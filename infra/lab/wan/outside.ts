import { execa } from 'execa';

const mostLabs = 60;

/** A cable from this machine to a site, which nothing holds up. */
export interface Cable {
  /** The interface of this machine that is its end here. */
  cable: string;
  /** This machine's address, as the site reaches it. */
  outside: string;
}

/** Joins this machine to the sites whose namespaces these are. The cables go with the namespaces, or by `cutOff`. */
export async function joinOutside(namespaces: readonly [string, string]): Promise<[Cable, Cable]> {
  const number = await claim(namespaces);
  const join = async (namespace: string, end: 0 | 1): Promise<Cable> => {
    const [here, there] = [
      `10.80.${String(number)}.${String(4 * end + 1)}`,
      `10.80.${String(number)}.${String(4 * end + 2)}`,
    ];
    const name = cable(number, end);
    await execa('ip', ['-batch', '-'], { input: `addr add ${here}/30 dev ${name}\nlink set ${name} up\n` });
    const lines = [`addr add ${there}/30 dev outside`, 'link set outside up', 'link set lo up'];
    await execa('nsenter', [`--net=${namespace}`, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
    return { cable: name, outside: here };
  };
  return [await join(namespaces[0], 0), await join(namespaces[1], 1)];
}

/** Takes this machine's ends of the cables away. */
export async function cutOff(cables: readonly Cable[]): Promise<void> {
  for (const { cable: name } of cables) await execa('ip', ['link', 'delete', name], { reject: false });
}

/** The kernel makes a cable of a name for one caller only; those of a lab that is going go one after the other. */
async function claim(namespaces: readonly [string, string]): Promise<number> {
  for (let number = 0; number < mostLabs; number += 1) {
    if (!(await lay(cable(number, 0), namespaces[0]))) continue;
    if (await lay(cable(number, 1), namespaces[1])) return number;
    await execa('ip', ['link', 'delete', cable(number, 0)]);
  }
  throw new Error(`${String(mostLabs)} labs are up on this machine`);
}

/** False where one of that name is there. */
async function lay(name: string, namespace: string): Promise<boolean> {
  const words = ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'outside', 'netns', namespace];
  const made = await execa('ip', words, { reject: false });
  if (made.exitCode === 0) return true;
  if (made.stderr.includes('File exists')) return false;
  throw new Error(`no cable can be laid: ${made.stderr}`);
}

function cable(number: number, end: 0 | 1): string {
  return `slw${String(number)}${'ab'.charAt(end)}`;
}
