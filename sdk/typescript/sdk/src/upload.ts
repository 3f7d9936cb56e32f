// Large files, in parts: what breaks is repeated by itself, not from the start.

import { path, type Connection } from './connection.ts';
import type { FileInfo, UploadOptions } from './file.ts';

/** Parts under way at once. */
const PARTS_AT_ONCE = 4;

interface Place {
  bucket: string;
  name: string;
}

/** Uploads bytes whose number is known. */
export async function uploadInParts(
  connection: Connection,
  { bucket, name }: Place,
  data: Blob | Uint8Array | ArrayBuffer,
  { contentType, metadata, signal }: UploadOptions,
): Promise<FileInfo> {
  const blob = data instanceof Blob ? data : new Blob([data as BlobPart]);
  const type = contentType ?? (blob.type === '' ? undefined : blob.type);
  const json = { name, content_type: type, metadata, size: blob.size };
  const uploads = path`/api/buckets/${bucket}/uploads`;
  const begun = await connection.json<{ id: string; part_size: number }>('POST', uploads, { json, signal });
  const place = uploads + path`/${begun.id}`;
  const count = Math.max(1, Math.ceil(blob.size / begun.part_size));
  let next = 1;
  const work = async () => {
    while (next <= count) {
      const number = next++;
      const body = blob.slice((number - 1) * begun.part_size, number * begun.part_size);
      await connection.send('PUT', `${place}/parts/${number}`, { body, timeout: 0, signal });
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, work));
    return await connection.json('POST', `${place}/complete`, { json: {}, signal });
  } catch (error) {
    next = Infinity;
    // What was sent is of no use; the server would forget it by itself later.
    await connection.send('DELETE', place).catch(() => undefined);
    throw error;
  }
}
