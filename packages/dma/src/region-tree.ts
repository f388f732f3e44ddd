/*
 * Regions in the order of their addresses: a B+tree. 65,535 regions are three levels, and a level is one binary search
 * in one flat array.
 *
 *   level 2                 [ 0            4000000 ]
 *                             │            │
 *   level 1        [ 0     100000 ]     [ 4000000  4800000 ]
 *                    │     │              │        │
 *   level 0    [ 0 1000 ] [ 100000 … ]   …         …           keys: where the regions start
 *                │ │        │
 *                ▼ ▼        ▼
 *              regions, which also know their neighbours
 *
 * A key of an upper level is not above the lowest key below it, and above all keys below its left neighbour.
 */
import type { Region } from './region.js'

/** Entries of a node. Half a kilobyte of keys: a few cache lines to search, and little to move when one is inserted. */
const NODE_ENTRIES = 64

class TreeNode {
  count = 0
  readonly keys: Float64Array
  /** Regions on level 0, nodes above. */
  readonly items: (TreeNode | Region)[] = []

  constructor (entriesMax: number) {
    this.keys = new Float64Array(entriesMax)
  }

  get isFull (): boolean {
    return this.count === this.keys.length
  }

  /** The last entry whose key is not above `key`; -1 if there is none. */
  rank (key: number): number {
    const keys = this.keys
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (keys[middle]! <= key) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  insert (index: number, key: number, item: TreeNode | Region): void {
    const { keys, items } = this
    for (let at = this.count; at > index; at -= 1) {
      keys[at] = keys[at - 1]!
      items[at] = items[at - 1]!
    }
    keys[index] = key
    items[index] = item
    this.count += 1
  }

  remove (index: number): void {
    const { keys, items } = this
    this.count -= 1
    for (let at = index; at < this.count; at += 1) {
      keys[at] = keys[at + 1]!
      items[at] = items[at + 1]!
    }
    items.pop()
  }

  /** Moves the upper half to a new node. */
  split (): TreeNode {
    const upper = new TreeNode(this.keys.length)
    const half = this.count >>> 1
    upper.keys.set(this.keys.subarray(half, this.count))
    upper.items.push(...this.items.splice(half))
    upper.count = this.count - half
    this.count = half
    return upper
  }

  /** Takes over all entries of the node to the right. */
  absorb (right: TreeNode): void {
    this.keys.set(right.keys.subarray(0, right.count), this.count)
    this.items.push(...right.items)
    this.count += right.count
  }
}

/** Regions by the address at which they start. Finding, inserting and removing one is logarithmic in their number. */
export class RegionTree {
  readonly #entriesMax: number
  #root: TreeNode
  #height = 0
  /** The way from the root down to the last leaf that was looked for: nodes and, in them, entries. */
  readonly #path: TreeNode[] = []
  readonly #slots: number[] = []

  /** @param entriesMax of a node, at least four */
  constructor (entriesMax = NODE_ENTRIES) {
    this.#entriesMax = entriesMax
    this.#root = new TreeNode(entriesMax)
  }

  /** The region that starts at `key` or is the closest before. */
  floor (key: number): Region | undefined {
    let node = this.#root
    for (let level = this.#height; level > 0; level -= 1) {
      node = node.items[Math.max(0, node.rank(key))] as TreeNode
    }
    const rank = node.rank(key)
    if (rank >= 0) return node.items[rank] as Region
    // The key is below all of this leaf, so the region in question ends the leaf before it.
    return node.count === 0 ? undefined : (node.items[0] as Region).previous
  }

  /** Adds a region. None may start at the same address. */
  insert (region: Region): void {
    const key = region.iova
    let node = this.#root
    if (node.isFull) node = this.#grow()
    for (let level = this.#height; level > 0; level -= 1) {
      const index = Math.max(0, node.rank(key))
      if (key < node.keys[index]!) node.keys[index] = key
      node = this.#roomierChild(node, index, key)
    }
    node.insert(node.rank(key) + 1, key, region)
  }

  /** Removes a region that was inserted. */
  remove (region: Region): void {
    this.#descend(region.iova)
    for (let level = 0; level <= this.#height; level += 1) {
      const node = this.#path[level]!
      const index = this.#slots[level]!
      if (level === 0) node.remove(index)
      else if (!this.#mergeChild(node, index)) break
    }
    while (this.#height > 0 && this.#root.count === 1) {
      this.#root = this.#root.items[0] as TreeNode
      this.#height -= 1
    }
    this.#path.fill(this.#root)
  }

  /** Puts a new root above the full one. */
  #grow (): TreeNode {
    const root = new TreeNode(this.#entriesMax)
    root.insert(0, this.#root.keys[0]!, this.#root)
    this.#root = root
    this.#height += 1
    return root
  }

  /** Splits the child if it is full, and returns the one that `key` belongs in. */
  #roomierChild (node: TreeNode, index: number, key: number): TreeNode {
    const child = node.items[index] as TreeNode
    if (!child.isFull) return child
    const upper = child.split()
    node.insert(index + 1, upper.keys[0]!, upper)
    return key < upper.keys[0]! ? child : upper
  }

  #descend (key: number): void {
    let node = this.#root
    for (let level = this.#height; level >= 0; level -= 1) {
      const index = Math.max(0, node.rank(key))
      this.#path[level] = node
      this.#slots[level] = index
      if (level > 0) node = node.items[index] as TreeNode
    }
  }

  /**
   * Removes the child if it is empty, and merges it with a neighbour if it is nearly so, unless the two together would
   * soon have to be split again. Tells whether the node lost an entry.
   */
  #mergeChild (node: TreeNode, index: number): boolean {
    const child = node.items[index] as TreeNode
    if (child.count >= this.#entriesMax / 4) return false
    if (child.count === 0) {
      node.remove(index)
      return true
    }
    const mergedMax = this.#entriesMax * 3 / 4
    for (const left of [index - 1, index]) {
      const lower = node.items[left] as TreeNode | undefined
      const upper = node.items[left + 1] as TreeNode | undefined
      if (lower === undefined || upper === undefined || lower.count + upper.count > mergedMax) continue
      lower.absorb(upper)
      node.remove(left + 1)
      return true
    }
    return false
  }
}
