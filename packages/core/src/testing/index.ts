export { expectClose } from "./expect-close.ts";
export { type TestPassOptions, testPass } from "./test-pass.ts";
export { gaussian, type TinyModelOptions, tinyModel } from "./tiny-model.ts";
export { type TinyCase, tinyConv, tinyLstm, tinyMlp, tinyModels, tinyTransformer } from "./tiny-models.ts";
