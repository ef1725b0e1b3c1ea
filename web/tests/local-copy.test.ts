import 'fake-indexeddb/auto'
import { IDBFactory, IDBObjectStore } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import {
  asPromise,
  openDatabase,
  removeSavedCopy,
  TEXTS,
  UNSAVED,
  UPDATES,
  type Why,
  withDatabase,
} from '../src/sync/database'
import { type CopyState, LocalCopy, OPEN_WITHIN_MS } from '../src/sync/local-copy'
import { partsOf } from '../src/sync/news'

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory()
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
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

async function rows(store = UPDATES): Promise<number> {
  const database = await openDatabase()
  const count = database.transaction(store).objectStore(store).count()
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
  expect(await copy.load(doc)).toEqual({ found: false, unsaved: 0, replaced: false })
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

test('a page that stays open keeps no more than 1,000 rows', async () => {
  const copy = new LocalCopy('d', 1)
  const doc = keptIn(copy)
  await copy.load(doc)
  for (let index = 0; index < 1_001; index++) {
    doc.getText('content').insert(index, 'x')
    await kept(copy)
  }
  await vi.waitFor(async () => expect(await rows()).toBe(1))
  expect(await textIn('d', 1)).toBe('x'.repeat(1_001))
})

test('a full disk is tried again every 5 s without another change, and until then it is no copy', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  const add = vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError')
  })
  const copy = new LocalCopy('d', 1)
  const doc = keptIn(copy)
  await copy.load(doc)
  doc.getText('content').insert(0, 'one ')
  await reaches(copy, 'failed')
  doc.getText('content').insert(4, 'two')
  expect(add).toHaveBeenCalledOnce()
  add.mockRestore()
  vi.advanceTimersByTime(5_000)
  await kept(copy)
  expect(await textIn('d', 1)).toBe('one two')
  expect(warn).toHaveBeenCalledOnce()
})

test('a database that does not open within 5 s is no copy, and is one once it has opened', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { open } = lateDatabase()
  const copy = new LocalCopy('d', 1)
  expect(copy.state.value).toBe('kept')
  vi.advanceTimersByTime(OPEN_WITHIN_MS)
  expect(copy.state.value).toBe('failed')
  open()
  await kept(copy)
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

test('a copy that no page has open is removed once it is saved, and no other', async () => {
  for (const document of ['gone', 'stays']) {
    const copy = new LocalCopy(document, 1)
    copy.keepLocal(updateOf(document))
    await kept(copy)
    copy.close()
  }
  await removeSavedCopy('gone')
  expect(await textIn('gone', 1)).toBe('gone')
  await saved('gone')
  await removeSavedCopy('gone')
  expect(await textIn('gone', 1)).toBe('')
  expect(await textIn('stays', 1)).toBe('stays')
})

describe('what the server does not have', () => {
  test('is written together with the change, counted on the next visit and gone once it is stored', async () => {
    const copy = new LocalCopy('d', 1)
    const doc = keptIn(copy)
    await copy.load(doc)
    for (const letter of 'abc') doc.getText('content').insert(0, letter)
    await kept(copy)
    expect(copy.unsaved).not.toEqual([])
    copy.close()
    const later = new LocalCopy('d', 1)
    const found = new Y.Doc()
    expect((await later.load(found)).unsaved).toBe(3)
    later.keepRemote(updateOf('theirs'))
    later.flush()
    await vi.waitFor(async () => expect(await rows()).toBeGreaterThan(1))
    expect(partsOf(Y.encodeStateAsUpdate(found), later.unsaved)).toEqual(['cba'])
    expect(await rows(UNSAVED)).not.toBe(0)
    later.stored()
    later.flush()
    await vi.waitFor(async () => expect(await rows(UNSAVED)).toBe(0))
    expect(later.unsaved).toEqual([])
    expect(await textIn('d', 1)).toContain('cba')
  })

  test('keeps what was made after the ack', async () => {
    const copy = new LocalCopy('d', 1)
    const doc = keptIn(copy)
    await copy.load(doc)
    doc.getText('content').insert(0, 'one ')
    await kept(copy)
    copy.stored()
    doc.getText('content').insert(4, 'two')
    await kept(copy)
    copy.close()
    const [open] = await readAll<{ update: Uint8Array; changes: number }>(UNSAVED)
    expect(partsOf(Y.encodeStateAsUpdate(doc), open ? [open.update] : [])).toEqual(['two'])
    expect(open?.changes).toBe(1)
  })

  test('is waited for, but not longer than 100 ms', async () => {
    const copy = new LocalCopy('d', 1)
    copy.keepLocal(updateOf('x'))
    await copy.written()
    expect(await rows(UNSAVED)).toBe(1)
    lateDatabase()
    const late = new LocalCopy('e', 1)
    late.keepLocal(updateOf('x'))
    const began = performance.now()
    await late.written()
    expect(performance.now() - began).toBeGreaterThan(90)
    expect(late.state.value).toBe('writing')
  })

  test('becomes one row above 1,000', async () => {
    const copy = new LocalCopy('d', 1)
    const doc = keptIn(copy)
    await copy.load(doc)
    for (let index = 0; index < 1_001; index++) {
      doc.getText('content').insert(index, 'x')
      await kept(copy)
    }
    await vi.waitFor(async () => expect(await rows(UNSAVED)).toBe(1))
    expect((await readAll<{ changes: number }>(UNSAVED))[0]?.changes).toBe(1_001)
  })
})

test('a new lineage finds that an older one was replaced, once', async () => {
  for (const generation of [1, 2]) {
    const copy = new LocalCopy('d', generation)
    expect((await copy.load(keptIn(copy))).replaced).toBe(generation === 2)
    copy.close()
  }
  const again = new LocalCopy('d', 2)
  expect((await again.load(new Y.Doc())).replaced).toBe(false)
})

test('starting over replaces what was there and sets a text aside', async () => {
  const copy = new LocalCopy('d', 1)
  await copy.load(keptIn(copy))
  copy.keepLocal(updateOf('refused'))
  await kept(copy)
  const fresh = new Y.Doc()
  fresh.getText('content').insert(0, 'theirs')
  const why: Why = { kind: 'refused', reason: 'too large' }
  const text = { id: 't', document: 'd', at: 1, why, text: 'refused', parts: ['refused'] }
  copy.startOver(fresh, text)
  copy.close()
  await vi.waitFor(async () => expect(await readAll(TEXTS)).toEqual([text]))
  expect([await rows(), await rows(UNSAVED)]).toEqual([1, 0])
  expect(await textIn('d', 1)).toBe('theirs')
})

test('without a database it says so, and a document opens empty', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  globalThis.indexedDB = {
    open: () => {
      throw new DOMException('denied', 'SecurityError')
    },
  } as unknown as IDBFactory
  const copy = new LocalCopy('d', 1)
  expect((await copy.load(new Y.Doc())).found).toBe(false)
  copy.keepLocal(updateOf('x'))
  await reaches(copy, 'failed')
  expect(warn).toHaveBeenCalled()
  await copy.forget()
})

/** A database that opens when told so. */
function lateDatabase(): { open: () => void } {
  const requests: (() => void)[] = []
  const database = globalThis.indexedDB
  vi.spyOn(database, 'open').mockImplementation((name, version) => {
    const late = {} as IDBOpenDBRequest
    requests.push(() => {
      vi.restoreAllMocks()
      const real = database.open(name, version)
      real.onupgradeneeded = event => {
        Object.assign(late, { result: real.result })
        late.onupgradeneeded?.(event)
      }
      real.onsuccess = event => {
        Object.assign(late, { result: real.result })
        late.onsuccess?.(event)
      }
    })
    return late
  })
  return {
    open: () => {
      for (const request of requests) request()
    },
  }
}

/** The server has stored all that a document's copy holds. */
async function saved(document: string): Promise<void> {
  const copy = new LocalCopy(document, 1)
  await copy.load(new Y.Doc())
  copy.stored()
  copy.close()
  await vi.waitFor(async () => expect(await rows(UNSAVED)).toBe(1))
}

async function readAll<T>(store: string): Promise<T[]> {
  return withDatabase(database => asPromise<T[]>(database.transaction(store).objectStore(store).getAll()))
}

function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('content').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}
