// What a model file includes: the words of a declaration and how it is bound. Nothing in it runs.
#pragma once
#include "g4/core/axis.hpp"
#include "g4/core/reflect.hpp"
#include "g4/graph/bind.hpp"
#include "g4/graph/block.hpp"
#include "g4/graph/program.hpp"
#include "g4/ops/attend.hpp"
#include "g4/ops/check.hpp"
#include "g4/ops/elementwise.hpp"
#include "g4/ops/embed.hpp"
#include "g4/ops/linear.hpp"
#include "g4/ops/rms_norm.hpp"
#include "g4/ops/rope.hpp"
