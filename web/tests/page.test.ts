import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { initials } from '../src/page/initials'
import { colourAt, inkOn, palette } from '../src/page/palette'
import { ago } from '../src/page/time'
import { commonEnds } from '../src/preview/patch'

const css = readFileSync(new URL('../src/style/tokens.css', import.meta.url), 'utf8')

const linear = (hex: string, at: number): number => {
  const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
}
/** Relative luminance and contrast as WCAG 2.2 defines them. */
const luminance = (hex: string): number =>
  0.2126 * linear(hex, 1) + 0.7152 * linear(hex, 3) + 0.0722 * linear(hex, 5)
const contrast = (one: string, other: string): number => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05)
}
/** A token's light and dark value. */
const token = (name: string): [string, string] => {
  const found = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(css)
  return [found?.[1] ?? '', found?.[2] ?? '']
}

test('the presence colours of the script and of the style sheet are the same', () => {
  const inSheet = [...css.matchAll(/--presence-\d+: (#[0-9a-f]{6})/g)].map(found => found[1])
  expect(inSheet).toEqual(palette.map(({ hex }) => hex))
})

test.each(palette)('$name is seen on both papers and carries readable initials', ({ hex, ink }) => {
  for (const paper of token('paper')) expect(contrast(hex, paper)).toBeGreaterThanOrEqual(3)
  expect(contrast(hex, ink)).toBeGreaterThanOrEqual(4.5)
  expect(inkOn(hex)).toBe(ink)
})

test.each(['ink', 'muted', 'accent', 'danger', 'warn', 'good'])('%s is readable on every ground', name => {
  for (const ground of ['paper', 'raised', 'sunken']) {
    for (const [index, colour] of token(name).entries()) {
      expect(contrast(colour, token(ground)[index] ?? '')).toBeGreaterThanOrEqual(4.5)
    }
  }
})

test.each(['code-comment', 'code-keyword', 'code-string', 'code-number', 'code-name'])(
  '%s is readable',
  name => {
    for (const [index, colour] of token(name).entries()) {
      expect(contrast(colour, token('sunken')[index] ?? '')).toBeGreaterThanOrEqual(4.5)
    }
  },
)

test('lines of controls are seen on every ground', () => {
  for (const ground of ['paper', 'raised']) {
    for (const [index, line] of token('line').entries()) {
      expect(contrast(line, token(ground)[index] ?? '')).toBeGreaterThanOrEqual(3)
    }
  }
})

test('an index from the wire that is out of range gets the last colour', () => {
  expect(colourAt(-1)).toBe(palette[11])
  expect(colourAt(12)).toBe(palette[11])
  expect(colourAt(3).name).toBe('Lilac')
})

test.each([
  ['Anonymous Otter', 'AO'],
  ['ana', 'A'],
  ['Ana de la Cruz', 'AC'],
  ['🦦 otter', '🦦O'],
  ['   ', '?'],
])('the initials of %j are %j', (name, expected) => {
  expect(initials(name)).toBe(expected)
})

const now = Date.parse('2026-03-01T12:00:00Z')
test.each([
  ['2026-03-01T11:59:40Z', 'just now'],
  ['2026-03-01T11:58:30Z', '1 minute ago'],
  ['2026-03-01T07:00:00Z', '5 hours ago'],
  ['2026-02-28T11:00:00Z', 'yesterday'],
  ['2026-02-10T12:00:00Z', '2 weeks ago'],
  ['2024-02-10T12:00:00Z', '2 years ago'],
])('%s is %s', (iso, words) => {
  expect(ago(iso, now)).toBe(words)
})

test.each([
  [
    ['a', 'b', 'c'],
    ['a', 'x', 'c'],
    [1, 1],
  ],
  [
    ['a', 'a'],
    ['a', 'a', 'a'],
    [2, 0],
  ],
  [
    ['a', 'b'],
    ['a', 'b'],
    [2, 0],
  ],
  [[], ['a'], [0, 0]],
  [['a', 'b', 'c'], ['c'], [0, 1]],
])('%j and %j share %j', (before, after, ends) => {
  expect(commonEnds(before, after)).toEqual(ends)
})
