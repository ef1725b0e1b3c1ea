// @vitest-environment jsdom
import { expect, test } from 'vitest'
import { highlighted } from '../src/preview/languages'
import { renderBlocks } from '../src/preview/markdown'
import { sanitise } from '../src/preview/sanitise'

const drawn = (markdown: string): HTMLElement => {
  const page = document.createElement('article')
  for (const html of renderBlocks(markdown)) page.append(sanitise(html))
  return page
}

test('every top-level block is drawn by itself', () => {
  const blocks = renderBlocks('# One\n\ntwo\n\n- a\n  - b\n\n> c\n\n| x |\n|---|\n| y |\n')
  expect(blocks.map(html => /^<(\w+)/.exec(html)?.[1])).toEqual(['h1', 'p', 'ul', 'blockquote', 'table'])
})

test('a change in one block leaves the others as they were', () => {
  const before = renderBlocks('one\n\ntwo\n\nthree')
  const after = renderBlocks('one\n\nTWO\n\nthree')
  expect([after[0], after[2]]).toEqual([before[0], before[2]])
})

test('tables are aligned without a style attribute, which the policy of the page refuses', () => {
  const page = drawn('| a | b |\n|:--|--:|\n| 1 | 2 |')
  expect(page.querySelectorAll('[style]')).toHaveLength(0)
  expect([...page.querySelectorAll('td')].map(cell => cell.getAttribute('align'))).toEqual(['left', 'right'])
})

test('tasks are labelled boxes that cannot be operated', () => {
  const boxes = [...drawn('- [ ] one\n- [x] two').querySelectorAll('input')]
  expect(boxes.map(box => [box.type, box.disabled, box.checked])).toEqual([
    ['checkbox', true, false],
    ['checkbox', true, true],
  ])
  expect(boxes.every(box => box.closest('label'))).toBe(true)
})

test('footnotes lead there and back inside the page', () => {
  const page = drawn('text[^n]\n\n[^n]: note')
  expect(page.querySelector('a[href="#fn1"]')?.getAttribute('target')).toBeNull()
  expect(page.querySelector('#fn1 a[href="#fnref1"]')).not.toBeNull()
})

test('links lead out without telling where from', () => {
  const link = drawn('see https://a.example').querySelector('a')
  expect(link?.getAttribute('rel')).toContain('noopener noreferrer')
  expect(link?.target).toBe('_blank')
})

test('pictures tell nobody which document shows them', () => {
  const image = drawn('![a](https://a.example/a.png)').querySelector('img')
  expect(image?.getAttribute('referrerpolicy')).toBe('no-referrer')
})

test.each([
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '[x](javascript:alert(1))',
  '[x](java&#115;cript:alert(1))',
  '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
  '![x](javascript:alert(1))',
  '<a id="bar" href="https://a.example">x</a>',
  '<form action="/x"><input name="y"></form>',
])('%j is only text', markdown => {
  const page = drawn(markdown)
  const attributes = [...page.querySelectorAll('*')].flatMap(element => [...element.attributes])
  expect(page.querySelectorAll('script, svg, form, iframe, style, #bar')).toHaveLength(0)
  expect(
    attributes.filter(({ name, value }) => name.startsWith('on') || /^javascript:/i.test(value)),
  ).toEqual([])
})

test.each([
  '<p onclick="x()">a</p><script>x()</script>',
  '<a href="javascript:x()">a</a><iframe srcdoc="b"></iframe>',
  '<p id="tools" style="position:fixed">a</p><math><mi xlink:href="data:x">b</mi></math>',
  '<input type="text" name="q"><button>a</button><style>*{}</style>',
])('%j does not get past the second wall', html => {
  const page = document.createElement('div')
  page.append(sanitise(html))
  expect(
    page.querySelectorAll('script, iframe, math, style, button, input, [style], [id], [onclick]'),
  ).toHaveLength(0)
  expect(page.querySelector('a')?.getAttribute('href') ?? null).toBeNull()
})

test('code is coloured in known languages and left alone in others', () => {
  expect(highlighted('const a = 1', 'js')).toContain('hljs-keyword')
  expect(highlighted('<b>', 'js')).not.toContain('<b>')
  expect(highlighted('x', 'no-such-language')).toBeNull()
})

test('links and pictures lead where the read page lets them', () => {
  const source = [
    '[a](https://a.example) [b](mailto:b@b.example) [c](/d/c) [d](#d) [e](tel:1) [f](sms:1)',
    '![g](https://g.example/g.png) ![h](data:image/png;base64,AA==) ![i](/s/secret) ![j](d/j.png)',
  ].join('\n\n')
  const page = drawn(source)
  const hrefs = [...page.querySelectorAll('a')].map(link => link.getAttribute('href'))
  expect(hrefs).toEqual(['https://a.example', 'mailto:b@b.example', '/d/c', '#d', null, null])
  const sources = [...page.querySelectorAll('img')].map(image => image.getAttribute('src'))
  expect(sources).toEqual(['https://g.example/g.png', 'data:image/png;base64,AA==', null, null])
})
