import { computed, effect, signal } from '@preact/signals-core'
import type { Reading } from '../../preview/reading'
import { view } from '../settings'
import { say } from '../toasts'
import { editor, ending, session } from './desk'

/** Two columns of text need room for two times about forty characters. */
const roomy = matchMedia('(min-width: 900px)')
export const splittable = signal(roomy.matches)
roomy.addEventListener('change', () => {
  splittable.value = roomy.matches
})

/** The view that is shown: a window too small for both shows the source. */
export const shownView = computed(() => (view.value === 'split' && !splittable.value ? 'edit' : view.value))

let reading: Promise<Reading> | null = null

const failed = (error: unknown): void => {
  reading = null
  console.error(error)
  say('The reading view cannot be loaded right now.')
}

/** The reading view comes in a chunk of its own, on the first wish to read. */
const readingIn = (host: HTMLElement): Promise<Reading> => {
  reading ??= import('../../preview/reading').then(({ Reading }) => new Reading(host, failed))
  return reading
}

const follow = (host: HTMLElement): (() => void) => {
  const opened = session.peek()
  if (!opened) return () => {}
  let stopped = false
  let stop = (): void => {}
  readingIn(host)
    .then(made => {
      if (stopped) return
      const onChange = (): void => made.update(() => opened.text.toString())
      onChange()
      opened.text.observe(onChange)
      stop = () => opened.text.unobserve(onChange)
    })
    .catch(failed)
  return () => {
    stopped = true
    stop()
  }
}

/** Shows what the chosen view asks for: the source, the reading view, or both side by side. */
export const arrange = (source: HTMLElement, host: HTMLElement, skeleton: HTMLElement): void => {
  effect(() => {
    const there = editor.value !== null && ending.value === null
    const chosen = shownView.value
    source.hidden = !there || chosen === 'read'
    host.hidden = !there || chosen === 'edit'
    skeleton.hidden = there || ending.value !== null
    document.body.dataset.view = chosen
    if (there && chosen === 'edit') editor.value?.view.requestMeasure()
  })
  const reads = computed(() => editor.value !== null && ending.value === null && shownView.value !== 'edit')
  effect(() => (reads.value ? follow(host) : undefined))
}
