# Makes arrays.npz and arrays-compressed.npz: python3 make.py, numpy 2.4.6. Values are 0, 1, 2 … in row-major order.
import numpy as np

shape = (3, 2, 4)
ramp = np.arange(24).reshape(shape)
arrays = {name: ramp.astype(name) for name in
          "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64".split()}
arrays["bool"] = ramp % 2 == 1
arrays["fortran"] = np.asfortranarray(ramp.astype("float32"))
arrays["big"] = ramp.astype(">i4")
arrays["bigFortran"] = np.asfortranarray(ramp.astype(">f8"))
arrays["text"] = np.array([["zero", "naïve"], ["", "日本"]])
arrays["scalar"] = np.int64(16000)
np.savez("arrays.npz", **arrays)
np.savez_compressed("arrays-compressed.npz", **arrays)
