// SPDX-License-Identifier: Apache-2.0
// The table, in the order of the digits. To add a way to write a digit, add an entry beside its others.
#include "datasets/digits/strokes.h"

#include <algorithm>

namespace strata {

namespace {

const std::vector<DigitShape>& allShapes() {
  // clang-format off
  static const std::vector<DigitShape> shapes = {
      // 0: an oval closed at the top; a wide one that overlaps itself; a narrow one begun on the right.
      {0, 4, {{{.34f, .02f}, {.12f, .18f}, {.02f, .5f}, {.1f, .85f}, {.33f, .99f}, {.56f, .83f}, {.64f, .5f},
           {.56f, .15f}, {.34f, .02f}, {.2f, .08f}}}},
      {0, 4, {{{.52f, .07f}, {.3f, .01f}, {.07f, .22f}, {0, .56f}, {.13f, .9f}, {.42f, 1}, {.7f, .78f},
           {.77f, .45f}, {.64f, .13f}, {.4f, .02f}}}},
      {0, 2, {{{.42f, .06f}, {.22f, .12f}, {.06f, .42f}, {.03f, .75f}, {.16f, .98f}, {.34f, .86f}, {.46f, .5f},
           {.46f, .16f}, {.34f, .02f}}}},
      // 1: a plain line; slightly bent; with a flag; with flag and foot.
      {1, 7, {{{0, 0}, {0, .5f}, {0, 1}}}},
      {1, 3, {{{.04f, 0}, {-.01f, .35f}, {.01f, .7f}, {.05f, 1}}}},
      {1, 1.2f, {{{-.2f, .22f}, {-.08f, .12f}, {0, 0}, {0, 0}, {.01f, .5f}, {0, 1}}}},
      {1, .6f, {{{-.2f, .2f}, {0, 0}, {0, 0}, {0, 1}}, {{-.24f, 1}, {.24f, .98f}}}},
      // 2: an angular foot; a small loop at the foot; a wavy foot; leaning; a large loop that the foot crosses.
      {2, 4, {{{.05f, .22f}, {.15f, .06f}, {.35f, 0}, {.55f, .1f}, {.57f, .32f}, {.4f, .62f}, {.04f, .97f},
           {.04f, .97f}, {.35f, .95f}, {.7f, .97f}}}},
      {2, 4, {{{.06f, .18f}, {.24f, .02f}, {.48f, .05f}, {.56f, .28f}, {.44f, .6f}, {.22f, .9f}, {.06f, .97f},
           {.01f, .86f}, {.14f, .78f}, {.34f, .88f}, {.54f, .98f}, {.76f, .9f}}}},
      {2, 2, {{{.02f, .12f}, {.26f, 0}, {.5f, .08f}, {.5f, .34f}, {.3f, .66f}, {.02f, .96f}, {.02f, .96f},
           {.24f, .86f}, {.46f, .95f}, {.68f, .94f}}}},
      {2, 1.5f, {{{.1f, .1f}, {.34f, .02f}, {.48f, .14f}, {.4f, .42f}, {.12f, .88f}, {.12f, .88f}, {.4f, .94f},
           {.8f, .86f}}}},
      {2, 3, {{{.16f, .16f}, {.36f, .01f}, {.58f, .1f}, {.6f, .36f}, {.44f, .72f}, {.22f, .97f}, {.02f, .94f},
           {.04f, .74f}, {.26f, .66f}, {.5f, .8f}, {.7f, 1}}}},
      // 3: two bows; a flat top; a small loop in the middle; a deep lower bow.
      {3, 4, {{{.04f, .1f}, {.28f, 0}, {.52f, .1f}, {.48f, .34f}, {.2f, .46f}, {.2f, .46f}, {.5f, .55f},
           {.6f, .76f}, {.44f, .96f}, {.2f, 1}, {0, .9f}}}},
      {3, 1.5f, {{{.05f, .03f}, {.3f, .04f}, {.57f, .02f}, {.57f, .02f}, {.24f, .4f}, {.24f, .4f}, {.5f, .48f},
           {.6f, .72f}, {.4f, .97f}, {0, .92f}}}},
      {3, 3, {{{.06f, .12f}, {.3f, 0}, {.52f, .14f}, {.42f, .38f}, {.22f, .48f}, {.24f, .42f}, {.48f, .52f},
           {.56f, .74f}, {.38f, .97f}, {.02f, .98f}}}},
      {3, 2.5f, {{{.06f, .16f}, {.26f, 0}, {.48f, .06f}, {.48f, .26f}, {.24f, .42f}, {.24f, .42f}, {.54f, .48f},
           {.66f, .72f}, {.46f, .96f}, {.14f, .99f}, {-.06f, .82f}}}},
      // 4: open with an angle; closed; open and round.
      {4, 4, {{{.1f, .02f}, {.07f, .28f}, {.02f, .52f}, {.02f, .52f}, {.3f, .53f}, {.62f, .48f}}, {{.58f, 0},
           {.53f, .5f}, {.5f, 1}}}},
      {4, 1.5f, {{{.46f, 0}, {.24f, .32f}, {0, .64f}, {0, .64f}, {.68f, .6f}}, {{.47f, .02f}, {.45f, .5f}, {.44f, 1}}}},
      {4, 3.5f, {{{.05f, .04f}, {.01f, .3f}, {.12f, .48f}, {.36f, .47f}, {.56f, .3f}}, {{.6f, .02f}, {.55f, .45f},
           {.47f, 1}}}},
      // 5: in one go; with the hat put on afterwards; flowing like an S; a bowl that nearly closes; a wide hat.
      {5, 4, {{{.62f, .03f}, {.4f, .03f}, {.17f, .05f}, {.17f, .05f}, {.1f, .42f}, {.1f, .42f}, {.36f, .37f},
           {.58f, .55f}, {.55f, .82f}, {.3f, 1}, {0, .93f}}}},
      {5, 3, {{{.13f, .07f}, {.1f, .42f}, {.1f, .42f}, {.36f, .4f}, {.56f, .6f}, {.48f, .88f}, {.24f, 1}, {0, .9f}},
           {{.13f, .06f}, {.4f, .05f}, {.68f, 0}}}},
      {5, 2.5f, {{{.72f, 0}, {.44f, .06f}, {.3f, .2f}, {.24f, .38f}, {.44f, .5f}, {.5f, .72f}, {.32f, .95f},
           {0, .97f}}}},
      {5, 2, {{{.48f, .02f}, {.18f, .03f}, {.18f, .03f}, {.12f, .36f}, {.12f, .36f}, {.38f, .32f}, {.58f, .5f},
           {.57f, .84f}, {.32f, 1}, {.1f, .92f}, {.07f, .74f}}}},
      {5, 2, {{{.92f, 0}, {.6f, .08f}, {.32f, .1f}, {.32f, .1f}, {.22f, .42f}, {.22f, .42f}, {.48f, .46f},
           {.54f, .7f}, {.34f, .95f}, {0, 1}}}},
      // 6: a bowed stem; a strongly bowed one; a straight one; a ring that ends on the foot.
      {6, 4, {{{.44f, 0}, {.2f, .26f}, {.04f, .6f}, {.09f, .9f}, {.32f, 1}, {.54f, .84f}, {.5f, .62f}, {.3f, .54f},
           {.1f, .72f}}}},
      {6, 3, {{{.56f, .03f}, {.24f, .16f}, {.04f, .5f}, {.06f, .86f}, {.32f, 1}, {.6f, .88f}, {.6f, .64f},
           {.38f, .55f}, {.1f, .72f}}}},
      {6, 3, {{{.22f, 0}, {.1f, .3f}, {.02f, .62f}, {.05f, .88f}, {.22f, 1}, {.43f, .92f}, {.48f, .72f},
           {.32f, .6f}, {.12f, .72f}, {.08f, .86f}}}},
      {6, 3, {{{.12f, 0}, {.01f, .42f}, {.06f, .82f}, {.3f, 1}, {.62f, .9f}, {.72f, .66f}, {.52f, .5f},
           {.34f, .64f}, {.32f, .98f}}}},
      // 7: an angle; rounded; with a tick at its start; with a bar; with a long bar.
      {7, 5, {{{0, .07f}, {.3f, .05f}, {.6f, .02f}, {.6f, .02f}, {.42f, .42f}, {.28f, 1}}}},
      {7, 2.5f, {{{0, .12f}, {.2f, .04f}, {.44f, .06f}, {.58f, .1f}, {.53f, .32f}, {.36f, .65f}, {.26f, 1}}}},
      {7, 1.5f, {{{0, .24f}, {.03f, .06f}, {.03f, .06f}, {.3f, .08f}, {.6f, .04f}, {.6f, .04f}, {.44f, .48f},
           {.34f, 1}}}},
      {7, 1.5f, {{{0, .06f}, {.3f, .04f}, {.6f, .03f}, {.6f, .03f}, {.4f, .48f}, {.24f, 1}}, {{.14f, .52f},
           {.36f, .5f}, {.6f, .48f}}}},
      {7, 1.5f, {{{.04f, .1f}, {.3f, .05f}, {.56f, 0}, {.56f, 0}, {.4f, .42f}, {.3f, 1}}, {{.06f, .6f}, {.4f, .52f},
           {.76f, .46f}}}},
      // 8: one line crossing itself, begun on the right or in the middle; two rings; open at the top.
      {8, 4, {{{.52f, .14f}, {.3f, 0}, {.09f, .12f}, {.15f, .34f}, {.4f, .54f}, {.52f, .77f}, {.38f, .98f},
           {.14f, .96f}, {.05f, .78f}, {.2f, .56f}, {.44f, .34f}, {.53f, .13f}}}},
      {8, 3, {{{.3f, .46f}, {.1f, .3f}, {.14f, .08f}, {.34f, 0}, {.52f, .12f}, {.48f, .32f}, {.28f, .48f},
           {.08f, .68f}, {.08f, .9f}, {.28f, 1}, {.5f, .9f}, {.5f, .66f}, {.3f, .46f}}}},
      {8, 1.5f, {{{.3f, 0}, {.12f, .1f}, {.1f, .3f}, {.28f, .44f}, {.48f, .3f}, {.48f, .1f}, {.3f, 0}},
           {{.29f, .45f}, {.06f, .6f}, {.05f, .86f}, {.28f, 1}, {.53f, .86f}, {.52f, .6f}, {.29f, .45f}}}},
      {8, 3, {{{.56f, .06f}, {.32f, .02f}, {.1f, .14f}, {.24f, .38f}, {.44f, .6f}, {.42f, .88f}, {.2f, 1},
           {.05f, .84f}, {.18f, .6f}, {.44f, .36f}, {.7f, .06f}}}},
      // 9: a ring with a straight leg; with a bowed one; a slanted ring; a small ring.
      {9, 4, {{{.54f, .14f}, {.34f, 0}, {.08f, .14f}, {.05f, .38f}, {.24f, .49f}, {.46f, .36f}, {.55f, .1f},
           {.55f, .1f}, {.54f, .5f}, {.48f, 1}}}},
      {9, 2, {{{.55f, .16f}, {.34f, .01f}, {.09f, .13f}, {.06f, .36f}, {.28f, .47f}, {.52f, .3f}, {.56f, .14f},
           {.58f, .46f}, {.5f, .82f}, {.3f, .99f}, {.08f, .92f}}}},
      {9, 4, {{{.46f, .08f}, {.24f, .03f}, {.05f, .2f}, {.08f, .42f}, {.3f, .42f}, {.5f, .2f}, {.52f, .06f},
           {.52f, .06f}, {.44f, .5f}, {.33f, 1}}}},
      {9, 3, {{{.44f, .12f}, {.28f, 0}, {.08f, .08f}, {.06f, .28f}, {.24f, .36f}, {.42f, .24f}, {.44f, .1f},
           {.44f, .1f}, {.46f, .5f}, {.44f, 1}}}},
  };
  // clang-format on
  return shapes;
}

}  // namespace

std::span<const DigitShape> digitShapes(int digit) {
  const auto& all = allShapes();
  const auto isDigit = [digit](const DigitShape& shape) { return shape.digit == digit; };
  const auto first = std::find_if(all.begin(), all.end(), isDigit);
  return {first, std::find_if_not(first, all.end(), isDigit)};
}

}  // namespace strata
