import { IDBFactory } from 'fake-indexeddb'
import { beforeEach, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { openDatabase, UPDATES } from '../src/sync/database'
import { type CopyState, LocalCopy } from '../src/sync/local-copy'

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory()
})

/** A document whose changes are kept by `copy`, as the session does it. */
function keptIn(copy: LocalCopy): Y.Doc {
  const doc = new Y.Doc()
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin === 'remote') copy.keepRemote(update)
    else if (origin !== copy) copy.keepLocal(update)
  })
  return doc
}

function reaches(copy: LocalCopy, state: CopyState): Promise<void> {
  return new Promise(resolve => {
    copy.state.subscribe(now => now === state && resolve())
  })
}

const kept = (copy: LocalCopy): Promise<void> => reaches(copy, 'kept')

async function textIn(document: string, generation: number): Promise<string> {
  const copy = new LocalCopy(document, generation)
  const doc = new Y.Doc()
  await copy.load(doc)
  copy.close()
  return doc.getText('content').toString()
}

async function rows(): Promise<number> {
  const database = await openDatabase()
  const count = database.transaction(UPDATES).objectStore(UPDATES).count()
  return new Promise(resolve => {
    count.onsuccess = () => {
      database.close()
      resolve(count.result)
    }
  })
}

test('a change is written at once and read back', async () => {
  const copy = new LocalCopy('d', 1)
  const doc = keptIn(copy)
  expect(await copy.load(doc)).toBe(false)
  doc.getText('content').insert(0, 'offline 😀')
  expect(copy.state.value).toBe('writing')
  await kept(copy)
  expect(await textIn('d', 1)).toBe('offline 😀')
})

test('a local change takes along what it builds on', async () => {
  const copy = new LocalCopy('d', 1)
  const doc = keptIn(copy)
  const server = new Y.Doc()
  server.getText('content').insert(0, 'theirs ')
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(server), 'remote')
  doc.getText('content').insert(7, 'mine')
  await kept(copy)
  expect(await textIn('d', 1)).toBe('theirs mine')
})

test('what came from the server is written on closing at the latest', async () => {
  const copy = new LocalCopy('d', 1)
  copy.keepRemote(updateOf('theirs'))
  copy.close()
  expect(await textIn('d', 1)).toBe('theirs')
})

test('documents and generations do not mix', async () => {
  const copy = new LocalCopy('d', 1)
  copy.keepLocal(updateOf('first'))
  await kept(copy)
  expect(await textIn('d', 2)).toBe('')
  expect(await textIn('e', 1)).toBe('')
})

test('more than 200 rows become one when they are read, and rows of another window stay', async () => {
  const copy = new LocalCopy('d', 1)
  const doc = keptIn(copy)
  for (let index = 0; index < 201; index++) {
    doc.getText('content').insert(index, 'x')
    await kept(copy)
  }
  expect(await rows()).toBe(201)
  const reader = new LocalCopy('d', 1)
  const other = new LocalCopy('d', 1)
  const reading = reader.load(new Y.Doc())
  other.keepLocal(updateOf('written meanwhile'))
  await Promise.all([reading, kept(other)])
  expect(await rows()).toBe(2)
  const text = await textIn('d', 1)
  expect(text).toContain('x'.repeat(201))
  expect(text).toContain('written meanwhile')
})

test('forgetting removes every generation and stores nothing more', async () => {
  for (const generation of [1, 2]) {
    const copy = new LocalCopy('d', generation)
    copy.keepLocal(updateOf('secret'))
    await kept(copy)
    copy.close()
  }
  const copy = new LocalCopy('d', 2)
  await copy.forget()
  copy.keepLocal(updateOf('more'))
  copy.flush()
  expect(copy.state.value).toBe('kept')
  expect(await rows()).toBe(0)
})

test('without a database it says so, and a document opens empty', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  globalThis.indexedDB = {
    open: () => {
      throw new DOMException('denied', 'SecurityError')
    },
  } as unknown as IDBFactory
  const copy = new LocalCopy('d', 1)
  expect(await copy.load(new Y.Doc())).toBe(false)
  copy.keepLocal(updateOf('x'))
  await reaches(copy, 'failed')
  expect(warn).toHaveBeenCalled()
  warn.mockRestore()
})

function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('content').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}
