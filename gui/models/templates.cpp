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
     QT_TRANSLATE_NOOP("Templates", "The lesson's net: convolutions find strokes, dense layers name the digit.")},
    {"mlp", QT_TRANSLATE_NOOP("Templates", "Dense layers alone: how far one gets without looking at neighbours.")},
    {"lenet5",
     QT_TRANSLATE_NOOP("Templates", "The net of 1998 that read cheques: two convolutions, three dense layers.")},
    {"vgg-small",
     QT_TRANSLATE_NOOP("Templates", "Small windows in pairs see as far as a large one, with fewer weights.")},
    {"small-resnet",
     QT_TRANSLATE_NOOP("Templates", "Shortcuts and batch norm: why a deeper net still learns, and needs few weights.")},
    {"resnet20", QT_TRANSLATE_NOOP("Templates",
                                   "Nine blocks with shortcuts for colour pictures of 32 x 32, as published in 2015.")},
    {"m5",
     QT_TRANSLATE_NOOP("Templates", "Large windows without pooling: the simple net that held a record on MNIST.")},
    {"autoencoder",
     QT_TRANSLATE_NOOP("Templates", "Gives back its input through 16 values: what is worth keeping of a picture.")},
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
