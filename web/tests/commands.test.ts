import { describe, expect, test } from 'vitest'
import { toggleHeading, toggleList, toggleQuote, toggleTask } from '../src/editor/blocks'
import { continueMarkup, deleteMarkup } from '../src/editor/continue'
import { indentItem, outdentItem } from '../src/editor/indent'
import { insertLink, toggleMark } from '../src/editor/marks'
import { applied } from './support/writer'

describe('inline marks', () => {
  const cases: [string, string, string][] = [
    ['**', 'a ‹word› b', 'a **‹word›** b'],
    ['**', 'a **‹word›** b', 'a ‹word› b'],
    ['**', 'a ‹**word**› b', 'a ‹word› b'],
    ['**', 'a wo|rd b', 'a **wo|rd** b'],
    ['**', 'a **wo|rd** b', 'a wo|rd b'],
    ['**', 'a word| b', 'a **word|** b'],
    ['**', 'a | b', 'a **|** b'],
    ['**', 'a **|** b', 'a | b'],
    ['*', 'a **‹word›** b', 'a ***‹word›*** b'],
    ['*', 'a ***‹word›*** b', 'a **‹word›** b'],
    ['**', 'a ***‹word›*** b', 'a *‹word›* b'],
    ['**', 'a *‹word›* b', 'a ***‹word›*** b'],
    ['**', '‹ word ›', '‹ **word** ›'],
    ['**', '- ‹one\n- two›', '- **‹one**\n- **two›**'],
    ['**', '‹- one\n\n1. two›', '‹- **one**\n\n1. **two›**'],
    ['~~', '‹x›', '~~‹x›~~'],
    ['`', '‹x›', '`‹x›`'],
    ['**', '‹日本🎉›', '**‹日本🎉›**'],
  ]
  test.each(cases)('%s on %j', (mark, before, expected) => {
    expect(applied(before, toggleMark(mark))).toBe(expected)
  })
})

describe('links', () => {
  const cases: [string, string][] = [
    ['see ‹this›', 'see [this](‹https://›)'],
    ['see |', 'see [|](https://)'],
    ['see ‹https://a.example/b›', 'see [|](https://a.example/b)'],
  ]
  test.each(cases)('%j', (before, expected) => {
    expect(applied(before, insertLink)).toBe(expected)
  })
})

describe('headings and quotes', () => {
  const cases: [string, number, string][] = [
    ['ti|tle', 1, '# ti|tle'],
    ['# ti|tle', 1, 'ti|tle'],
    ['# ti|tle', 3, '### ti|tle'],
    ['|', 2, '## |'],
    ['‹a\n\nb›', 2, '## ‹a\n\n## b›'],
    ['‹# a\n## b›', 2, '‹## a\n## b›'],
  ]
  test.each(cases)('%j to level %i', (before, level, expected) => {
    expect(applied(before, toggleHeading(level))).toBe(expected)
  })

  test('quotes come and go on all lines together', () => {
    expect(applied('‹a\n> b›', toggleQuote)).toBe('> ‹a\n> > b›')
    expect(applied('> ‹a\n> b›', toggleQuote)).toBe('‹a\nb›')
  })
})

describe('lists and tasks', () => {
  test('lines become items, and plain lines again', () => {
    expect(applied('‹a\nb›', toggleList('bullet'))).toBe('- ‹a\n- b›')
    expect(applied('- ‹a\n- b›', toggleList('bullet'))).toBe('‹a\nb›')
    expect(applied('‹a\n\nb›', toggleList('number'))).toBe('1. ‹a\n\n2. b›')
    expect(applied('  a|', toggleList('task'))).toBe('  - [ ] a|')
    expect(applied('|', toggleList('task'))).toBe('- [ ] |')
  })

  test('one kind becomes another', () => {
    expect(applied('1. a|', toggleList('bullet'))).toBe('- a|')
    expect(applied('- [x] a|', toggleList('bullet'))).toBe('- a|')
    expect(applied('* a|', toggleList('task'))).toBe('- [ ] a|')
    expect(applied('- [x] a|', toggleList('task'))).toBe('a|')
  })

  test('tasks are ticked and cleared together, items without a box get one', () => {
    expect(applied('- [ ] a|', toggleTask)).toBe('- [x] a|')
    expect(applied('- [X] a|', toggleTask)).toBe('- [ ] a|')
    expect(applied('‹- [x] a\n- [ ] b›', toggleTask)).toBe('‹- [x] a\n- [x] b›')
    expect(applied('1. a|', toggleTask)).toBe('1. [ ] a|')
    expect(applied('plain|', toggleTask)).toBeNull()
  })
})

describe('Tab', () => {
  test('indents an item below the one above it', () => {
    expect(applied('- a\n- b|', indentItem)).toBe('- a\n  - b|')
    expect(applied('1. a\n2. b|', indentItem)).toBe('1. a\n   2. b|')
    expect(applied('- a\n  - b\n- c|', indentItem)).toBe('- a\n  - b\n  - c|')
    expect(applied('- a\n‹- b\n- c›', indentItem)).toBe('- a\n  ‹- b\n  - c›')
  })

  test('does nothing on a first item but stays in the list', () => {
    expect(applied('- a|', indentItem)).toBe('- a|')
    expect(applied('- a\n  - b|', indentItem)).toBe('- a\n  - b|')
  })

  test('goes back to the level of the parent', () => {
    expect(applied('- a\n  - b|', outdentItem)).toBe('- a\n- b|')
    expect(applied('- a\n  - b\n    - c|', outdentItem)).toBe('- a\n  - b\n  - c|')
    expect(applied('- a|', outdentItem)).toBe('- a|')
  })

  test('outside lists it is left to the browser', () => {
    expect(applied('plain|', indentItem)).toBeNull()
    expect(applied('plain|', outdentItem)).toBeNull()
  })
})

describe('Enter', () => {
  const cases: [string, string | null][] = [
    ['- a|', '- a\n- |'],
    ['- a|b', '- a\n- |b'],
    ['1. a|', '1. a\n2. |'],
    ['9) a|', '9) a\n10) |'],
    ['- [x] a|', '- [x] a\n- [ ] |'],
    ['> a|', '> a\n> |'],
    ['> - a|', '> - a\n> - |'],
    ['  * a|', '  * a\n  * |'],
    ['- a\n- |', '- a\n|'],
    ['- a\n  - |', '- a\n- |'],
    ['> a\n> |', '> a\n|'],
    ['> - |', '> |'],
    ['|- a', null],
    ['plain|', null],
    ['```\n- a|\n```', null],
  ]
  test.each(cases)('at %j', (before, expected) => {
    expect(applied(before, continueMarkup)).toBe(expected)
  })
})

describe('Backspace', () => {
  const cases: [string, string | null][] = [
    ['- |a', '|a'],
    ['- [ ] |a', '|a'],
    ['  - |a', '  |a'],
    ['> |a', '|a'],
    ['> - |a', '> |a'],
    ['- a|', null],
    ['|- a', null],
    ['plain|', null],
  ]
  test.each(cases)('at %j', (before, expected) => {
    expect(applied(before, deleteMarkup)).toBe(expected)
  })
})
