import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { readableOn } from '../src/editor/caret-layer'
import { readCursor, readPosition, writeCursor } from '../src/editor/positions'
import { Awareness } from '../src/sync/awareness'
import { listPeople, readIdentity, safeColor } from '../src/sync/people'

function textOf(content: string): Y.Text {
  const doc = new Y.Doc()
  doc.clientID = 7
  const text = doc.getText('content')
  text.insert(0, content)
  return text
}

/** As it comes over the wire. */
const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('carets as relative positions', () => {
  test.each([0, 3, 9])('a caret at %i comes back at the same place', at => {
    const text = textOf('some text')
    const cursor = sent(writeCursor({ anchor: at, head: 0 }, text))
    expect(readCursor(cursor, text)).toEqual({ anchor: at, head: 0 })
  })

  test('it follows edits and stays before what is typed right there', () => {
    const text = textOf('some text')
    const cursor = sent(writeCursor({ anchor: 4, head: 9 }, text))
    text.insert(9, '!')
    text.insert(4, '-')
    text.insert(0, '>> ')
    expect(readCursor(cursor, text)).toEqual({ anchor: 7, head: 13 })
  })

  test('carets of stock bindings, which lean to the right, are read too', () => {
    const text = textOf('some text')
    const relative = Y.createRelativePositionFromTypeIndex(text, 4)
    expect(readPosition(sent(relative), text)).toBe(4)
  })

  test('a caret in text that is not here yet is no caret yet', () => {
    const ahead = textOf('some text')
    const cursor = sent(writeCursor({ anchor: 9, head: 9 }, ahead))
    expect(readCursor(cursor, new Y.Doc().getText('content'))).toBeNull()
  })
})

describe('garbage is no caret, and leaves no trace', () => {
  const garbage: unknown[] = [
    null,
    undefined,
    5,
    'x',
    [],
    {},
    { anchor: null, head: null },
    { anchor: { item: { client: 'x' } }, head: 5 },
    { anchor: { item: { client: 'x', clock: 0 } }, head: { item: { client: 7, clock: {} } } },
    { anchor: { item: { client: 7, clock: -1 } }, head: { item: { client: 7, clock: 1.5 } } },
    { anchor: { item: { client: 7, clock: 1e300 } }, head: { item: { client: 7, clock: 0 } } },
    { anchor: { item: { client: 99, clock: 0 } }, head: { item: { client: 99, clock: 0 } } },
    { anchor: { tname: 'other' }, head: { tname: 'other' } },
    { anchor: { tname: '__proto__' }, head: { tname: 'constructor' } },
    { anchor: { type: { client: 7, clock: 0 } }, head: { type: { client: 7, clock: 0 } } },
    { anchor: { tname: 'content', assoc: 'x' }, head: { tname: 'content', assoc: Number.NaN } },
    { anchor: { tname: { toString: 'content' } }, head: { tname: 5 } },
  ]
  test.each(garbage.map(value => [JSON.stringify(value), value]))('%s', (_name, value) => {
    const text = textOf('some text')
    expect(readCursor(value, text)).toBeNull()
    expect([...(text.doc?.share.keys() ?? [])]).toEqual(['content'])
  })
})

describe('who is here', () => {
  test.each([
    ['#12abEF', '#12abEF'],
    ['#12abEF33', '#12abEF33'],
    ['red;position:fixed;inset:0', '#000000'],
    ['#12abE', '#000000'],
    [5, '#000000'],
  ])('of colours only #rrggbb and #rrggbbaa are taken: %j', (value, expected) => {
    expect(safeColor(value, '#000000')).toBe(expected)
  })

  test('an identity of the wrong kinds becomes a neutral one', () => {
    expect(readIdentity({ name: { a: 1 }, color: [], id: 5, kind: null }, 9)).toMatchObject({
      id: '9',
      name: 'Someone',
      kind: 'anyone',
    })
    expect(readIdentity({ name: 'x'.repeat(5_000) }, 9).name).toHaveLength(100)
  })

  test('me first, then the others; a rename shows; a null state leaves', () => {
    const awareness = new Awareness(1)
    const user = { id: 'b', name: 'Ben', color: '#111111', colorLight: '#11111133', kind: 'guest' }
    awareness.apply([{ clientId: 2, clock: 1, state: { user, line: 3, state: 'idle' } }])
    expect(listPeople(awareness, undefined).map(({ clientId, me }) => [clientId, me])).toEqual([
      [1, true],
      [2, false],
    ])
    expect(listPeople(awareness, undefined)[1]).toMatchObject({ name: 'Ben', line: 3, state: 'idle' })
    awareness.apply([{ clientId: 2, clock: 2, state: { user: { ...user, name: 'Benny' } } }])
    expect(listPeople(awareness, undefined)[1]).toMatchObject({ name: 'Benny', line: null, state: 'active' })
    awareness.apply([{ clientId: 2, clock: 2, state: null }])
    expect(listPeople(awareness, undefined)).toHaveLength(1)
  })

  test('older clocks change nothing, after a reconnection any clock is taken', () => {
    const awareness = new Awareness(1)
    awareness.apply([{ clientId: 2, clock: 5, state: { line: 1 } }])
    awareness.apply([{ clientId: 2, clock: 4, state: { line: 2 } }])
    expect(awareness.states.get(2)).toEqual({ line: 1 })
    awareness.markStale()
    awareness.apply([{ clientId: 2, clock: 1, state: { line: 2 } }])
    awareness.dropStale()
    expect(awareness.states.get(2)).toEqual({ line: 2 })
    awareness.markStale()
    awareness.dropStale()
    expect(awareness.states.size).toBe(0)
  })

  test('nobody else can set our own state, but the server’s name for us is heard', () => {
    const awareness = new Awareness(1)
    awareness.apply([{ clientId: 1, clock: 40, state: { line: 9, user: { name: 'Ana', id: 'a' } } }])
    expect(awareness.local.line).toBeNull()
    expect(awareness.nextEntry().clock).toBe(41)
    expect(listPeople(awareness, undefined)[0]?.name).toBe('Ana')
  })

  test('a name can be read on any colour', () => {
    expect(readableOn('#ffff00')).toBe('#000000')
    expect(readableOn('#1a50ff')).toBe('#ffffff')
  })
})
