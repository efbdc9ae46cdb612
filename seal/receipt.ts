import type { ReceiptBody } from '../domain/receipt.ts';
import { canonicalBytes } from './canonical.ts';

/** The bytes that both hosts sign. No statement has them: every statement names its `kind`, and a receipt has none. */
export function receiptBytes(body: ReceiptBody): Buffer {
  return canonicalBytes(body);
}
