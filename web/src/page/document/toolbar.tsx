import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { CommandName } from '../../editor/types'
import { Icon, type IconName } from '../icons'
import { keyName } from '../keys'
import { setView, type View, view } from '../settings'
import { editor, ending, mayWrite } from './desk'
import { splittable } from './views'

interface Tool {
  command: CommandName
  icon: IconName
  label: string
  keys?: string
}

const groups: readonly (readonly Tool[])[] = [
  [
    { command: 'undo', icon: 'undo', label: 'Undo', keys: 'Mod+Z' },
    { command: 'redo', icon: 'redo', label: 'Redo', keys: 'Mod+Shift+Z' },
  ],
  [
    { command: 'heading1', icon: 'heading', label: 'Heading', keys: 'Mod+Alt+1' },
    { command: 'bold', icon: 'bold', label: 'Bold', keys: 'Mod+B' },
    { command: 'italic', icon: 'italic', label: 'Italic', keys: 'Mod+I' },
    { command: 'strikethrough', icon: 'strike', label: 'Strike through' },
    { command: 'code', icon: 'code', label: 'Code' },
    { command: 'link', icon: 'link', label: 'Link', keys: 'Mod+K' },
  ],
  [
    { command: 'bulletList', icon: 'bullets', label: 'Bulleted list', keys: 'Mod+Shift+8' },
    { command: 'numberList', icon: 'numbers', label: 'Numbered list', keys: 'Mod+Shift+7' },
    { command: 'taskList', icon: 'tasks', label: 'Task list', keys: 'Mod+Shift+9' },
    { command: 'quote', icon: 'quote', label: 'Quote' },
  ],
]

/** The editor keeps its focus and selection while a tool is pressed. */
const keepFocus = (event: MouseEvent): void => event.preventDefault()

const use = (command: CommandName): void => {
  editor.value?.run(command)
  editor.value?.focus()
}

const ToolButton = ({ tool }: { tool: Tool }): JSX.Element => {
  const label = tool.keys ? `${tool.label} (${keyName(tool.keys)})` : tool.label
  return (
    <button
      class="glyph"
      type="button"
      tabIndex={-1}
      title={label}
      aria-label={label}
      onMouseDown={keepFocus}
      onClick={() => use(tool.command)}
    >
      <Icon name={tool.icon} />
    </button>
  )
}

/** One stop for Tab, arrows inside. Source: ARIA Authoring Practices, toolbar pattern. */
const rove = (event: KeyboardEvent, bar: HTMLElement | null): void => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
  if (step === undefined || !bar) return
  event.preventDefault()
  const buttons = [...bar.querySelectorAll('button')]
  const now = buttons.indexOf(document.activeElement as HTMLButtonElement)
  const target = buttons[(now + step + buttons.length) % buttons.length]
  for (const button of buttons) button.tabIndex = button === target ? 0 : -1
  target?.focus()
}

const Formatting = (): JSX.Element => {
  const bar = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const first = bar.current?.querySelector('button')
    if (first) first.tabIndex = 0
  }, [])
  return (
    <div
      class="tools-format"
      role="toolbar"
      aria-label="Formatting"
      tabIndex={-1}
      ref={bar}
      onKeyDown={event => rove(event, bar.current)}
    >
      {groups.map(group => (
        <span class="tools-group" key={group[0]?.command}>
          {group.map(tool => (
            <ToolButton key={tool.command} tool={tool} />
          ))}
        </span>
      ))}
      <button
        class="glyph"
        type="button"
        tabIndex={-1}
        title={`Find and replace (${keyName('Mod+F')})`}
        aria-label={`Find and replace (${keyName('Mod+F')})`}
        onClick={() => void editor.value?.openSearch()}
      >
        <Icon name="find" />
      </button>
    </div>
  )
}

const views: readonly { name: View; label: string; icon: IconName }[] = [
  { name: 'edit', label: 'Edit', icon: 'edit' },
  { name: 'split', label: 'Split', icon: 'split' },
  { name: 'read', label: 'Read', icon: 'read' },
]

const Views = (): JSX.Element => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset is for form fields
  <div class="segments" role="group" aria-label="View">
    {views
      .filter(({ name }) => name !== 'split' || splittable.value)
      .map(({ name, label, icon }) => (
        <button
          key={name}
          type="button"
          class="segment"
          aria-pressed={
            view.value === name || (name === 'edit' && view.value === 'split' && !splittable.value)
          }
          onClick={() => setView(name)}
        >
          <Icon name={icon} />
          <span>{name === 'edit' && !mayWrite.value ? 'Source' : label}</span>
        </button>
      ))}
  </div>
)

/** One row: formatting for those who write, views for everyone. */
export const Toolbar = (): JSX.Element | null => {
  if (!editor.value || ending.value) return null
  const formatting = mayWrite.value && view.value !== 'read'
  return (
    <div class="tools no-print">
      {formatting ? <Formatting /> : <span class="tools-format" />}
      <Views />
    </div>
  )
}
