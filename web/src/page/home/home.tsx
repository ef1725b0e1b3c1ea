import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { countKept } from '../../sync/kept'
import { Icon } from '../icons'
import { importFile } from './actions'
import { Row } from './list'
import { items, more, next, phase, problem, refresh, search, searchFor, show, trashed } from './listing'

const Empty = (): JSX.Element => {
  if (search.value) return <p class="empty">No document contains “{search.value}”.</p>
  if (trashed.value) return <p class="empty">The trash is empty. Documents you throw away wait here.</p>
  return (
    <p class="empty">
      Documents you write or open appear here. You can also drop a Markdown file on this page.
    </p>
  )
}

const Failed = (): JSX.Element => (
  <div class="empty" role="alert">
    <p>{problem.value}</p>
    <button class="button" type="button" onClick={() => refresh()}>
      Try again
    </button>
  </div>
)

const Waiting = (): JSX.Element => (
  <div class="rows-waiting" role="status">
    <span class="unseen">Loading your documents</span>
    <i />
    <i />
    <i />
  </div>
)

const Rows = (): JSX.Element => {
  if (phase.value === 'failed') return <Failed />
  if (phase.value === 'loading') return <Waiting />
  if (items.value.length === 0) return <Empty />
  return (
    <>
      <ul class="rows">
        {items.value.map(doc => (
          <Row key={doc.id} doc={doc} trash={trashed.value} />
        ))}
      </ul>
      {next.value && (
        <button class="button plain" type="button" onClick={() => more()}>
          Show more
        </button>
      )}
    </>
  )
}

const PickFile = (): JSX.Element => {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <button class="button plain" type="button" onClick={() => input.current?.click()}>
        <Icon name="upload" />
        Open a file
      </button>
      <input
        ref={input}
        type="file"
        hidden
        accept=".md,.markdown,.mdown,.txt,text/markdown,text/plain"
        aria-label="A Markdown file to make a document of"
        onChange={event => {
          const file = event.currentTarget.files?.[0]
          if (file) void importFile(file)
        }}
      />
    </>
  )
}

const stayHere = (event: MouseEvent, trash: boolean): void => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return
  event.preventDefault()
  show(trash, true)
}

/** Quiet, and only when there is something: most people never need it. */
const NotOnServer = (): JSX.Element | null => {
  const [count, setCount] = useState(0)
  useEffect(() => {
    // Where the browser keeps nothing there is nothing to recover.
    countKept().then(setCount, () => undefined)
  }, [])
  if (count === 0) return null
  return (
    <p class="not-on-server quiet">
      <a href="/recover">
        {count === 1 ? 'One text' : `${count} texts`} in this browser {count === 1 ? 'is' : 'are'} not on the
        server
      </a>
    </p>
  )
}

const Head = (): JSX.Element => (
  <div class="list-head">
    {trashed.value ? <h1>Trash</h1> : <h2>Your documents</h2>}
    <label class="search">
      <span class="unseen">Search documents</span>
      <Icon name="search" />
      <input
        class="field"
        type="search"
        placeholder="Search"
        onInput={event => searchFor(event.currentTarget.value)}
        key={String(trashed.value)}
      />
    </label>
    {trashed.value ? (
      <a class="button plain" href="/" onClick={event => stayHere(event, false)}>
        Back to documents
      </a>
    ) : (
      <>
        <PickFile />
        <a class="button plain" href="/trash" onClick={event => stayHere(event, true)}>
          <Icon name="trash" />
          Trash
        </a>
      </>
    )}
  </div>
)

export const Documents = (): JSX.Element => (
  <>
    <Head />
    <NotOnServer />
    <Rows />
  </>
)
