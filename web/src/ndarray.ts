/**
 * Arrays with strides, as the packages "ndarray" and "ndarray-ops" have them, as far as the viewer uses these. Those
 * two write JavaScript while they run, which our Content-Security-Policy does not allow.
 */
type Data = { [index: number]: unknown; length: number };

class NdArray {
  readonly dimension: number;
  readonly size: number;

  constructor(
    readonly data: Data,
    readonly shape: number[],
    readonly stride: number[],
    readonly offset: number,
  ) {
    this.dimension = shape.length;
    this.size = shape.reduce((product, length) => product * length, 1);
  }

  get dtype(): string {
    return Array.isArray(this.data) ? "array" : this.data.constructor.name.replace(/Array$/, "").toLowerCase();
  }

  index(...at: number[]): number {
    return at.reduce((sum, place, axis) => sum + place * (this.stride[axis] ?? 0), this.offset);
  }

  get(...at: number[]): unknown {
    return this.data[this.index(...at)];
  }

  set(...given: unknown[]): unknown {
    const value = given.pop();
    this.data[this.index(...(given as number[]))] = value;
    return value;
  }

  /** Fix some axes at an index each; null and negative numbers leave an axis as it is. */
  pick(...at: (number | null | undefined)[]): NdArray {
    const left = this.shape.map((_, axis) => axis).filter((axis) => !((at[axis] ?? -1) >= 0));
    const offset = this.shape.reduce((sum, _, axis) => sum + Math.max(0, at[axis] ?? 0) * (this.stride[axis] ?? 0), 0);
    return this.kept(left, this.offset + offset);
  }

  transpose(...axes: number[]): NdArray {
    return this.kept(axes, this.offset);
  }

  private kept(axes: number[], offset: number): NdArray {
    const chosen = (of: number[]) => axes.map((axis) => of[axis] ?? 0);
    return new NdArray(this.data, chosen(this.shape), chosen(this.stride), offset);
  }
}

/** Make an array over values in C order; one axis without a shape. */
export default function ndarray(data: Data, shape: number[] = [data.length]): NdArray {
  const stride = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    stride[axis] = step;
    step *= shape[axis] ?? 1;
  }
  return new NdArray(data, [...shape], stride, 0);
}

/** Copy the values of an array into another of the same shape. */
export function assign(to: NdArray, from: NdArray): void {
  const { shape, stride } = from;
  const last = shape.length - 1;
  const length = last < 0 ? 1 : (shape[last] ?? 0);
  const across = last < 0 ? 0 : (stride[last] ?? 0);
  const into = last < 0 ? 0 : (to.stride[last] ?? 0);
  const at = new Array<number>(Math.max(0, last)).fill(0);
  if (from.size === 0) return;
  for (;;) {
    let read = from.index(...at);
    let write = to.index(...at);
    for (let place = 0; place < length; place++, read += across, write += into) to.data[write] = from.data[read];
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      at[axis] = (at[axis] ?? 0) + 1;
      if ((at[axis] ?? 0) < (shape[axis] ?? 0)) break;
      at[axis] = 0;
    }
    if (axis < 0) return;
  }
}
