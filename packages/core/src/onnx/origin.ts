import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";

/**
 * The protobuf message that each part of a model was read from. An object that is found here is written back as it
 * was; a changed copy carries the message in `extra.origin`, for the fields that the plain data does not name.
 */
const pristine = new WeakMap<object, object>();

export const markPristine = <T extends object>(part: T, message: object): T => {
  pristine.set(part, message);
  return part;
};

export const pristineMessage = <M extends object>(part: object): M | undefined => pristine.get(part) as M | undefined;

/** A shallow copy of the message that `origin` names, or an empty one. */
export const startFrom = <D extends DescMessage>(schema: D, origin: object | undefined): MessageShape<D> => {
  const message = create(schema);
  const typeName = (origin as { $typeName?: string } | undefined)?.$typeName;
  return typeName === schema.typeName ? Object.assign(message, origin) : message;
};

/** Sets a field where its value differs, so that a field that was absent stays absent. */
export const put = <M extends object, K extends keyof M>(message: M, key: K, value: M[K]): void => {
  if (message[key] !== value) message[key] = value;
};
