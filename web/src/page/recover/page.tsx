import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { merged } from '../../sync/bundle'
import { type Kept, listKept, removeKept } from '../../sync/kept'
import { partsOf, textOf } from '../../sync/news'
import { recall } from '../document/known'
import { Entry, type Found } from './entry'

type Phase = 'loading' | 'ready' | 'failed'

const phase = signal<Phase>('loading')
const found = signal<readonly Found[]>([])

/** The first line with words, as people know a text that has no other name. */
const firstLine = (text: string): string =>
  text
    .split('\n', 50)
    .map(line => line.replace(/^[ \t#>*+-]+/, '').trim())
    .find(line => line !== '')
    ?.slice(0, 80) ?? 'Untitled'

const read = (kept: Kept): Found => {
  const state = merged(kept.updates)
  const text = kept.text?.text ?? (state ? textOf(state) : '')
  const parts = kept.text?.parts ?? (state ? partsOf(state, kept.unsaved) : [])
  return { kept, text, parts, title: recall(kept.document)?.title || firstLine(text) }
}

/** Looks again at what this browser has. */
export const look = async (): Promise<void> => {
  try {
    found.value = (await listKept()).map(read)
    phase.value = 'ready'
  } catch (error) {
    console.warn('This browser’s storage could not be read.', error)
    phase.value = 'failed'
  }
}

const remove = async ({ kept }: Found): Promise<void> => {
  await removeKept(kept)
  await look()
}

const Entries = (): JSX.Element | null => {
  switch (phase.value) {
    case 'loading':
      return <p class="quiet">Looking…</p>
    case 'failed':
      return (
        <p role="alert">This browser keeps nothing for this page: its storage is switched off or damaged.</p>
      )
    case 'ready':
      if (found.value.length === 0) return null
      return (
        <ul class="kept-list">
          {found.value.map(each => (
            <Entry key={each.kept.key} found={each} onRemove={() => void remove(each)} />
          ))}
        </ul>
      )
  }
}

export const Recover = (): JSX.Element => (
  <>
    <h1>Not on the server</h1>
    <p class="quiet lead">
      {phase.value === 'ready' && found.value.length === 0
        ? 'Everything that was written in this browser is on the server.'
        : 'Text that is in this browser and that the server does not have. It stays here until it is sent or you remove it.'}
    </p>
    <Entries />
  </>
)
