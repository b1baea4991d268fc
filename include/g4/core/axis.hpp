// The words of a declaration: axes and scalars, whose names are types and whose sizes are values.
#pragma once

namespace g4 {

/// When the length of an axis is known, unless it is a constant like axis<3>.
inline constexpr long at_load = 0;     // from the checkpoint's config.json
inline constexpr long at_launch = -1;  // at each pass

/// One dimension of a tensor: `struct hidden : axis<at_load> {};`. The type is the name.
template <long Size> struct axis { static constexpr long size = Size; };

/// A number of the config that is no length: `struct rope_theta : scalar {};`.
struct scalar { static constexpr long size = at_load; };

/// Element types of declared tensors.
struct bf16 { static constexpr int bytes = 2; };
struct f32  { static constexpr int bytes = 4; };
struct i32  { static constexpr int bytes = 4; };

}  // namespace g4
