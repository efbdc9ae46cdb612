export function sendFile(_options: any): Promise<void> {
  throw new Error('not yet');
}
