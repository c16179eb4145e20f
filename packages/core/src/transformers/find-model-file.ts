import { EspalierError } from "../errors.ts";
import { type NodeFiles, nodeFiles } from "../onnx/source.ts";
import { baseOf } from "./dtypes.ts";

const WHERE = "core/transformers";

/** Paths of the .onnx files of a folder as transformers.js reads it. */
export const modelFiles = (folder: string, { fs, path }: NodeFiles): readonly string[] =>
  [path.join(folder, "onnx"), folder].flatMap((place) =>
    fs.statSync(place, { throwIfNoEntry: false })?.isDirectory()
      ? fs
          .readdirSync(place)
          .filter((name) => /\.onnx$/i.test(name))
          .sort()
          .map((name) => path.join(place, name))
      : [],
  );

/**
 * Path of the float32 model in a folder as transformers.js reads it: in `onnx/`, or beside `config.json`. Node only.
 *
 * @param file which one, where the network is cut into several: "encoder_model", "decoder_model_merged" …
 * @throws EspalierError `NOT_FOUND` where there is none, `BAD_OPTION` where there are several and none is named
 */
export const findModelFile = async (folder: string, file?: string): Promise<string> => {
  const node = await nodeFiles();
  const base = (model: string) => node.path.basename(model).replace(/\.onnx$/i, "");
  const float = modelFiles(folder, node).filter((model) => baseOf(base(model)) === base(model));
  const fitting = file === undefined ? float : float.filter((model) => base(model) === file);
  const names = [...new Set(float.map(base))].join(", ");
  if (fitting.length === 0) {
    const there = names ? `the models there are ${names}` : "it holds no float32 .onnx file, nor does its folder onnx/";
    throw new EspalierError(
      "NOT_FOUND",
      WHERE,
      `"${folder}" has no model${file === undefined ? "" : ` "${file}"`}: ${there}. Check the path.`,
    );
  }
  if (new Set(fitting.map(base)).size > 1)
    throw new EspalierError("BAD_OPTION", WHERE, `"${folder}" has several models: ${names}. Name one.`);
  return fitting[0]!;
};
