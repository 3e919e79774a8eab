// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/page_table.h"

#include "gui/pages/build/build_page.h"
#include "gui/pages/data/data_page.h"
#include "gui/pages/runs/runs_page.h"
#include "gui/pages/test/test_page.h"
#include "gui/pages/train/train_page.h"

namespace strata::gui {
namespace {

QWidget* makeData(const PageParts& parts, QWidget* parent) {
  auto* page = new DataPage(parts.theme, parts.document, parts.session, parts.loader, parent);
  QObject::connect(page, &DataPage::folderWanted, page, [&host = parts.host] { host.chooseDataFolder(); });
  return page;
}

QWidget* makeBuild(const PageParts& parts, QWidget* parent) {
  auto* page = new BuildPage(parts.theme, parts.document, parts.session, parent);
  QObject::connect(page, &BuildPage::message, page,
                   [&host = parts.host](const QString& sentence) { host.showMessage(sentence); });
  return page;
}

QWidget* makeTrain(const PageParts& parts, QWidget* parent) {
  auto* page = new TrainPage(parts.theme, parts.document, parts.session, parent);
  QObject::connect(page, &TrainPage::openInTest, page, [&host = parts.host, &session = parts.session](int image) {
    host.showPage("test");
    static_cast<TestPage*>(host.page("test"))->openTestImage(session.runDataset(), image);
  });
  return page;
}

QWidget* makeTest(const PageParts& parts, QWidget* parent) {
  return new TestPage(parts.theme, parts.session, parts.loader, parent);
}

QWidget* makeRuns(const PageParts& parts, QWidget* parent) {
  auto* page = new RunsPage(parts.theme, parts.document, parts.session, parent);
  QObject::connect(page, &RunsPage::openInBuild, page, [&host = parts.host] { host.showPage("build"); });
  QObject::connect(page, &RunsPage::failed, page,
                   [&host = parts.host](const QString& sentence) { host.showError(sentence); });
  return page;
}

}  // namespace

const std::vector<PageDef>& allPages() {
  static const std::vector<PageDef> pages{
      {"data", QT_TRANSLATE_NOOP("Pages", "Data"), "data", "Ctrl+1", makeData},
      {"build", QT_TRANSLATE_NOOP("Pages", "Build"), "build", "Ctrl+2", makeBuild},
      {"train", QT_TRANSLATE_NOOP("Pages", "Train"), "train", "Ctrl+3", makeTrain},
      {"test", QT_TRANSLATE_NOOP("Pages", "Test"), "test", "Ctrl+4", makeTest},
      {"runs", QT_TRANSLATE_NOOP("Pages", "Runs"), "runs", "Ctrl+5", makeRuns},
  };
  return pages;
}

}  // namespace strata::gui
