// @vitest-environment jsdom
import { afterEach, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { exchange, Writer } from './support/writer'

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

let writers: Writer[] = []

function open(count: number, text = ''): Writer[] {
  const seed = new Y.Doc()
  seed.clientID = 1
  seed.getText('content').insert(0, text)
  const state = Y.encodeStateAsUpdate(seed)
  writers = Array.from({ length: count }, (_, index) => new Writer(index + 10, state))
  return writers
}

/** The writers as named variables, so that tests read like a scene. */
function scene(text: string): [Writer, Writer] {
  const [ana, ben] = open(2, text)
  if (!ana || !ben) throw new Error('a scene has two writers')
  return [ana, ben]
}

afterEach(() => {
  for (const writer of writers) writer.destroy()
  writers = []
  vi.useRealTimers()
})

describe('two people in one text', () => {
  test('each sees what the other types', () => {
    const [ana, ben] = scene('one three')
    ana.replace(4, 4, 'two ')
    ben.replace(9, 9, ' four')
    exchange(writers)
    expect([ana.shown, ben.shown]).toEqual(['one two three four', 'one two three four'])
    expect(ana.text.toString()).toBe(ana.shown)
  })

  test('what others type at my caret or above it leaves my caret where it is', () => {
    const [ana, ben] = scene('one two')
    ana.select(4)
    ben.replace(4, 4, 'and ')
    exchange(writers)
    expect(ana.view.state.selection.main.head).toBe(4)
    ben.replace(0, 0, 'zero\n')
    exchange(writers)
    expect(ana.view.state.selection.main.head).toBe(9)
  })

  test.each([
    ['the same', 'one two three'],
    ['with another word before my caret', 'one and two 😀three'],
    ['with other characters that begin and end alike', 'one two 😁three'],
    ['without its end', 'one two'],
  ])('a text that the server writes anew, %s, leaves my caret at its word', (_, text) => {
    const [ana] = open(2, 'one two 😀three')
    if (!ana) throw new Error('nobody is there')
    ana.select(6)
    ana.doc.transact(() => {
      ana.text.delete(0, ana.text.length)
      ana.text.insert(0, text)
      ana.text.format(0, 3, { bold: true })
    }, 'the server')
    expect(ana.shown).toBe(text)
    expect(text.slice(0, ana.view.state.selection.main.head)).toMatch(/one (and )?tw$/)
    ana.replace(0, 0, '> ')
    expect(ana.text.toString()).toBe(`> ${text}`)
    expect(ana.shown).not.toMatch(LONE_SURROGATE)
  })

  test('several changes in one transaction go out as the smallest operations', () => {
    const [ana, ben] = scene('a b c')
    ana.view.dispatch({
      changes: [
        { from: 0, to: 1, insert: 'A' },
        { from: 4, to: 5, insert: 'C' },
      ],
    })
    exchange(writers)
    expect(ben.shown).toBe('A b C')
    expect(ana.sent).toEqual([])
  })

  test('an update that arrives while the page listens to a local change does not nest', () => {
    const [ana, ben] = scene('x')
    ben.replace(0, 0, 'b')
    const update = ben.sent.splice(0)
    ana.doc.on('update', (_update: Uint8Array, origin: unknown) => {
      if (origin === ana.binding) for (const each of update.splice(0)) Y.applyUpdate(ana.doc, each, ana)
    })
    ana.replace(1, 1, 'a')
    expect(ana.shown).toBe('bxa')
  })
})

describe('well-formed text', () => {
  test('CRLF and CR become LF on their way in', () => {
    const [ana] = scene('')
    ana.type('a\r\nb\rc', 'input.paste')
    expect(ana.text.toString()).toBe('a\nb\nc')
    expect(ana.shown).toBe('a\nb\nc')
    ana.type('d')
    expect(ana.text.toString()).toBe('a\nb\ncd')
  })

  test('a CR that is in the text already does not shift positions', () => {
    const [ana, ben] = scene('a\r\nb')
    ana.replace(4, 4, 'Z')
    exchange(writers)
    expect(ana.text.toString()).toBe('a\r\nbZ')
    expect(ben.shown).toBe('a\r\nbZ')
  })

  test('one emoji replaced by another is never cut in half', () => {
    const [ana, ben] = scene('x😀y')
    // What a browser's text diff reports: the common first unit stays.
    ana.replace(2, 3, '😁'.slice(1))
    exchange(writers)
    expect([ana.shown, ben.shown, ben.text.toString()]).toEqual(['x😁y', 'x😁y', 'x😁y'])
  })

  test('half a character is never deleted, typed into or sent', () => {
    const [ana, ben] = scene('x😀y')
    ana.replace(2, 2, '-')
    ana.type('\ud83d')
    exchange(writers)
    expect(ben.shown).toBe(ana.shown)
    expect(ana.text.toString()).toBe(ana.shown)
    expect(ana.shown).not.toMatch(LONE_SURROGATE)
  })

  test('a character that a careless client cut shows as Yjs keeps it', () => {
    const [ana, ben] = scene('x😀y')
    ben.text.delete(1, 1)
    exchange(writers)
    expect(ana.shown).toBe(ana.text.toString())
    expect(ana.shown).toBe('x\ufffdy')
  })

  test('an embedded object of another editor keeps its place', () => {
    const [ana, ben] = scene('ab')
    ben.text.insertEmbed(1, { image: 'x' })
    exchange(writers)
    expect(ana.shown).toBe('a\ufffcb')
    ana.replace(3, 3, 'c')
    expect(ana.text.toString()).toBe('abc')
  })
})

describe('undo', () => {
  test('undoes only mine, and redoes it', () => {
    const [ana, ben] = scene('start ')
    ana.replace(6, 6, 'mine ')
    exchange(writers)
    ben.replace(0, 0, 'theirs ')
    exchange(writers)
    ana.binding.history.undo(ana.view)
    exchange(writers)
    expect([ana.shown, ben.shown]).toEqual(['theirs start ', 'theirs start '])
    ana.binding.history.redo(ana.view)
    exchange(writers)
    expect([ana.shown, ben.shown]).toEqual(['theirs start mine ', 'theirs start mine '])
  })

  test('brings the selection back that was typed over', () => {
    const [ana, ben] = scene('one two three')
    ana.select(7, 4)
    ana.type('2')
    ben.replace(0, 0, '>> ')
    exchange(writers)
    ana.binding.history.undo(ana.view)
    expect(ana.shown).toBe('>> one two three')
    const { anchor, head } = ana.view.state.selection.main
    expect([anchor, head]).toEqual([10, 7])
  })

  test('typing is one step, a new line, a pause and another place start the next', () => {
    vi.useFakeTimers()
    const [ana] = scene('')
    for (const key of 'abc') ana.type(key)
    ana.type('\n')
    ana.type('d')
    vi.advanceTimersByTime(600)
    ana.type('e')
    ana.replace(0, 0, 'X')
    const shown: string[] = []
    while (ana.binding.history.undo(ana.view)) shown.push(ana.shown)
    expect(shown).toEqual(['abc\nde', 'abc\nd', 'abc', ''])
  })

  test('what others type in between does not cut a step', () => {
    const [ana, ben] = scene('0')
    ana.replace(1, 1, 'a')
    ben.replace(0, 0, 'longer ')
    exchange(writers)
    ana.type('b')
    ana.binding.history.undo(ana.view)
    expect(ana.shown).toBe('longer 0')
  })

  test('what comes back of mine among what others wrote is no change of the text, and still undone as mine', () => {
    const [ana, ben] = scene('')
    ana.replace(0, 0, 'mine')
    const mine = ana.sent.splice(0)
    for (const update of mine) ben.gate.push(update)
    ben.replace(4, 4, ' yours')
    const dispatched = vi.spyOn(ana.view, 'dispatch')
    ana.gate.push(Y.mergeUpdates(mine))
    expect(dispatched).not.toHaveBeenCalled()
    ana.gate.push(Y.mergeUpdates([...mine, ...ben.sent.splice(0)]))
    expect([dispatched.mock.calls.length, ana.shown]).toEqual([1, 'mine yours'])
    ana.binding.history.undo(ana.view)
    expect(ana.shown).toBe(' yours')
    ana.binding.history.redo(ana.view)
    ana.gate.push(Y.mergeUpdates(mine))
    exchange(writers)
    expect([ana.shown, ben.shown]).toEqual(['mine yours', 'mine yours'])
  })

  test('there is nothing to undo in what others wrote', () => {
    const [ana, ben] = scene('')
    ben.type('theirs')
    exchange(writers)
    expect(ana.binding.history.undo(ana.view)).toBe(false)
    expect(ana.shown).toBe('theirs')
  })
})

describe('any number of people, any edits, any order', () => {
  const pieces = ['a', 'word ', '\n', '😀', 'é', '日本', '👩‍👩‍👧', '\r\n', '# ', '\ud83d', '']

  function random(seed: number): (below: number) => number {
    let state = seed
    return below => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
  }

  const rareActions: ((writer: Writer) => unknown)[] = [
    ({ binding, view }) => binding.history.undo(view),
    ({ binding, view }) => binding.history.redo(view),
    ({ gate }) => gate.hold(true),
    ({ gate }) => gate.hold(false),
  ]

  function edit(writer: Writer, next: (below: number) => number, most: number): void {
    const length = writer.shown.length
    const from = next(length + 1)
    const to = Math.min(length, from + next(most))
    writer.replace(from, to, pieces[next(pieces.length)] ?? '', next(6) === 0 ? 'delete' : 'input.type')
  }

  function act(writer: Writer, next: (below: number) => number): void {
    const action = next(10)
    const rare = rareActions[action]
    if (rare) rare(writer)
    else edit(writer, next, action === 4 ? 12 : 3)
  }

  function live(next: (below: number) => number): void {
    const writer = writers[next(writers.length)]
    if (writer) act(writer, next)
    if (next(3) === 0) exchange(writers)
    if (next(5) === 0) vi.advanceTimersByTime(60)
    for (const each of writers) expect(each.shown).toBe(each.text.toString())
  }

  function settle(): void {
    for (const writer of writers) writer.gate.hold(false)
    exchange(writers)
    vi.advanceTimersByTime(60)
    exchange(writers)
  }

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i', seed => {
    vi.useFakeTimers()
    const next = random(seed * 7919)
    open(4, 'Some text to start with 😀\n\n- item\n')
    for (let step = 0; step < 400; step++) live(next)
    settle()
    const [first, ...others] = writers
    for (const other of others) expect(other.shown).toBe(first?.shown)
    expect(first?.shown).not.toMatch(LONE_SURROGATE)
  })
})
