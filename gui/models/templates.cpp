// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/templates.h"

#include <QCoreApplication>
#include <QFile>

#include "engine/base/json.h"

namespace strata::gui {
namespace {

constexpr struct {
  const char *file, *teaches;
} kRows[] = {
    {"mnist-lesson",
     QT_TRANSLATE_NOOP("Templates",
                       "The net to begin with: two convolutions find strokes, two dense layers name the digit.")},
    {"mlp",
     QT_TRANSLATE_NOOP("Templates", "How far dense layers alone get, which do not know that pixels have neighbours.")},
    {"lenet5",
     QT_TRANSLATE_NOOP("Templates", "The net of 1998 that read cheques: small, with tanh and average pooling.")},
    {"vgg-small",
     QT_TRANSLATE_NOOP("Templates", "Two small convolutions in a row see as far as one large one, for fewer weights.")},
    {"small-resnet",
     QT_TRANSLATE_NOOP("Templates", "Shortcuts let a net grow deep, for every block only learns a difference.")},
    {"resnet20", QT_TRANSLATE_NOOP("Templates",
                                   "Nine blocks with shortcuts for colour pictures of 32 x 32, as published in 2015.")},
    {"separable",
     QT_TRANSLATE_NOOP(
         "Templates",
         "A convolution in two steps, each channel and then each pixel, needs a fraction of the weights.")},
    {"m5", QT_TRANSLATE_NOOP("Templates",
                             "Five convolutions without pooling: a plain net that was among the best on MNIST.")},
    {"autoencoder",
     QT_TRANSLATE_NOOP("Templates", "Gives back its input through 16 values: what is worth keeping of a picture.")},
    {"lstm-rows",
     QT_TRANSLATE_NOOP("Templates",
                       "A picture can be read like a text: row after row, with a memory of what came before.")},
    {"tiny-transformer",
     QT_TRANSLATE_NOOP("Templates",
                       "Attention lets every row of the picture look at all others, wherever they stand.")},
};

}  // namespace

const std::vector<Template>& templates() {
  static const std::vector<Template> all = [] {
    std::vector<Template> made;
    for (const auto& row : kRows) {
      QFile file(QString(":/projects/%1.strata").arg(row.file));
      if (!file.open(QIODevice::ReadOnly)) continue;
      made.push_back({projectFromJson(parseJson(file.readAll().toStdString(), row.file), row.file),
                      QCoreApplication::translate("Templates", row.teaches)});
    }
    return made;
  }();
  return all;
}

}  // namespace strata::gui
