/**
 * What our server knows of a plot and the viewer cannot see by itself: axes named in older dialects, logarithmic
 * scales of scattering and diffraction, and the frame that a link names. The viewer takes such things from
 * attributes; here it finds them although the file has none, and they are not listed among those of the file.
 */
import { type Attribute, type AttributeValues, type Entity, parseShape, useDataContext } from "@h5web/app";
import { useState } from "react";

export interface Hints {
  group?: string;
  axes?: string[];
  log?: boolean;
  log_axes?: boolean;
}

class Attributes extends Array<Attribute> {
  hinted: Attribute[] = [];

  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  override find(holds: (one: Attribute, index: number, all: Attribute[]) => unknown): Attribute | undefined {
    return super.find(holds) ?? this.hinted.find(holds);
  }

  override some(holds: (one: Attribute, index: number, all: Attribute[]) => unknown): boolean {
    return super.some(holds) || this.hinted.some(holds);
  }
}

/** Turn hints into attributes, as the viewer would read them. */
function values(hints: Hints, slice: string): AttributeValues {
  const told: AttributeValues = {};
  if (hints.axes?.some((name) => name !== ".")) told.axes = hints.axes;
  if (hints.log || hints.log_axes) {
    told.SILX_style = JSON.stringify({
      ...(hints.log && { signal_scale_type: "log" }),
      ...(hints.log_axes && { axes_scale_type: (hints.axes ?? []).map(() => "log") }),
    });
  }
  const parts = slice.split(",").map((part) => part.trim());
  if (slice && parts.every((part) => /^(:|\d+)$/.test(part))) {
    told.default_slice = parts.map((part) => (part === ":" ? "." : part));
  }
  return told;
}

function described(name: string, value: unknown): Attribute {
  const shape = parseShape(Array.isArray(value) ? [value.length] : []);
  return { name, shape, type: { class: "String", charSet: "UTF-8", strPad: undefined } } as Attribute;
}

/** Lets the viewer find the hints at their group. */
export function Hinted({ hints, slice }: { hints: Hints; slice: string }): null {
  const { entitiesStore, attrValuesStore } = useDataContext();
  useState(() => {
    const told = values(hints, slice);
    const hinted = Object.entries(told).map(([name, value]) => described(name, value));
    if (hints.group === undefined || hinted.length === 0) return;
    const known = new WeakSet<Entity>();
    const [get, getValues] = [entitiesStore.get, attrValuesStore.get];
    entitiesStore.get = (path) => {
      const entity = get(path);
      if (path === hints.group && entity && !known.has(entity)) {
        known.add(entity);
        const attributes = Attributes.from(entity.attributes) as Attributes;
        attributes.hinted = hinted.filter(({ name }) => !entity.attributes.some((one) => one.name === name));
        entity.attributes = attributes;
      }
      return entity;
    };
    attrValuesStore.get = (entity) => {
      const own = getValues(entity);
      return entity.path === hints.group ? { ...told, ...own } : own;
    };
  });
  return null;
}
