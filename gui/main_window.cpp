// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/main_window.h"

#include <QApplication>
#include <QCloseEvent>
#include <QDateTime>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QScreen>
#include <QScrollArea>
#include <QSettings>
#include <QSplitter>
#include <QStatusBar>
#include <QToolButton>
#include <QVBoxLayout>
#include <QWhatsThis>
#include <algorithm>

#include "gui/models/palette_model.h"
#include "gui/pages/build/build_page.h"
#include "gui/pages/test/drawing_panel.h"
#include "gui/pages/test/test_page.h"
#include "gui/transport_bar.h"
#include "gui/widgets/banner.h"
#include "gui/widgets/elided_text.h"
#include "gui/widgets/label.h"
#include "gui/widgets/stack_view.h"

namespace strata::gui {
namespace {

constexpr int kNarrow = 1200;
constexpr int kMessageMs = 8000;
constexpr QSize kFirstSize(1440, 900), kSmallest(1024, 640);

/// Asks for the room that the page in front needs; the others take the form they need when they are shown.
class Pages : public QStackedWidget {
 public:
  explicit Pages(QWidget* parent) : QStackedWidget(parent) {
    connect(this, &QStackedWidget::currentChanged, this, &QWidget::updateGeometry);
  }
  QSize minimumSizeHint() const override {
    return currentWidget() ? currentWidget()->minimumSizeHint() : QStackedWidget::minimumSizeHint();
  }
};

Path storedDataFolder() { return QSettings().value("dataFolder").toString().toStdString(); }

}  // namespace

MainWindow::MainWindow(Theme& theme, Document& document, TrainingSession& session, QWidget* parent)
    : QMainWindow(parent), m_theme(theme), m_document(document), m_session(session),
      m_loader(document, session, storedDataFolder(), this) {
  setAcceptDrops(true);
  makePages();
  makeModeBar();
  makeFileMenu();
  makeEditMenu();
  makeLayerMenu();
  makeRunMenu();
  makeViewMenu();
  makeHelpMenu();
  makeStatusBar();
  connectSession();
  restoreState();
  showPage("build");
  m_build->stack().setFocus();
  updateTitle();
  updateStatus();
}

void MainWindow::makePages() {
  m_modeBar = new QWidget(this);
  m_modeBar->setObjectName("modeBar");
  m_modeBar->setProperty("ground", "surface");
  m_modeBar->setAttribute(Qt::WA_StyledBackground);
  m_modeBar->setFixedHeight(48);
  m_banner = new Banner(m_theme, this);
  m_files = new ProjectFiles(m_document, *m_banner, *this);
  m_pages = new Pages(this);
  m_pages->setObjectName("pages");
  for (const PageDef& def : allPages())
    m_pages->addWidget(def.make({m_theme, m_document, m_session, m_loader, *this}, m_pages));
  m_build = static_cast<BuildPage*>(page("build"));
  m_test = static_cast<TestPage*>(page("test"));
  auto* centre = new QWidget(this);
  auto* column = new QVBoxLayout(centre);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(m_modeBar);
  column->addWidget(makeLine(centre));
  column->addWidget(m_banner);
  column->addWidget(m_pages, 1);
  auto* scroll = new QScrollArea(this);  // for screens with less room than the pages need
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setFocusPolicy(Qt::NoFocus);
  scroll->setWidgetResizable(true);
  scroll->setWidget(centre);
  setCentralWidget(scroll);
}

void MainWindow::makeModeBar() {
  auto* row = new QHBoxLayout(m_modeBar);
  row->setContentsMargins(8, 0, 8, 0);
  row->setSpacing(4);
  m_modes = new QActionGroup(this);
  for (const PageDef& def : allPages()) {
    const QString title = QCoreApplication::translate("Pages", def.title);
    QAction* action = m_modes->addAction(m_theme.icon(def.icon), title);
    action->setObjectName(QString("mode_%1").arg(def.id));
    action->setCheckable(true);
    action->setShortcut(QKeySequence(def.shortcut));
    action->setToolTip(tr("%1 (%2)").arg(title, action->shortcut().toString(QKeySequence::NativeText)));
    connect(action, &QAction::triggered, this, [this, id = def.id] { showPage(id); });
    auto* button = new QToolButton(m_modeBar);
    button->setDefaultAction(action);
    button->setProperty("mode", true);
    button->setFocusPolicy(Qt::TabFocus);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->setSizePolicy(QSizePolicy::Minimum, QSizePolicy::Expanding);
    row->addWidget(button);
  }
  QWidget* line = makeLine(m_modeBar, Qt::Vertical);
  line->setFixedHeight(26);
  m_transport = new TransportBar(m_theme, m_session, m_loader, m_modeBar);
  row->addSpacing(6);
  row->addWidget(line);
  row->addWidget(m_transport, 1);
  connect(m_transport, &TransportBar::dataFolderWanted, this, &MainWindow::chooseDataFolder);
}

void MainWindow::makeFileMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&File"));
  menu->addAction(tr("&New"), QKeySequence::New, m_files, &ProjectFiles::create);
  menu->addAction(tr("&Open…"), QKeySequence::Open, m_files, &ProjectFiles::openWithDialog);
  menu->addAction(tr("&Save"), QKeySequence::Save, m_files, &ProjectFiles::save);
  menu->addAction(tr("Save &as…"), QKeySequence("Ctrl+Shift+S"), m_files, &ProjectFiles::saveAs);
  menu->addSeparator();
  menu->addAction(tr("Choose data folder…"), this, &MainWindow::chooseDataFolder);
  menu->addSeparator();
  menu->addAction(tr("&Quit"), QKeySequence("Ctrl+Q"), this, &QWidget::close);
}

void MainWindow::makeEditMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&Edit"));
  QAction* undo = m_document.undoStack().createUndoAction(this, tr("&Undo"));
  undo->setShortcut(QKeySequence("Ctrl+Z"));
  QAction* redo = m_document.undoStack().createRedoAction(this, tr("&Redo"));
  redo->setShortcut(QKeySequence("Ctrl+Shift+Z"));
  menu->addActions({undo, redo});
  menu->addSeparator();
  menu->addAction(tr("&Find layer"), QKeySequence::Find, this, [this] {
    showPage("build");
    m_build->findLayer();
  });
}

void MainWindow::makeLayerMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&Layer"));
  QMenu* insert = menu->addMenu(tr("&Insert"));
  const PaletteModel palette;
  for (int row = 0; row < palette.rowCount(); ++row) {
    const QModelIndex category = palette.index(row, 0);
    QMenu* layers = insert->addMenu(category.data().toString());
    for (int i = 0; i < palette.rowCount(category); ++i) {
      const QModelIndex layer = palette.index(i, 0, category);
      const QIcon icon = m_theme.icon(layer.data(PaletteModel::IconRole).toString(),
                                      layer.data(PaletteModel::CategoryRole).toString());
      layers->addAction(icon, layer.data().toString(), this,
                        [this, type = layer.data(PaletteModel::TypeRole).toString()] {
                          showPage("build");
                          m_build->insertLayer(type);
                        });
    }
  }
  menu->addSeparator();
  menu->addActions(m_build->layerActions());
  menu->addSeparator();
  menu->addAction(tr("&Check net"), QKeySequence("F7"), this, [this] {
    showPage("build");
    m_build->checkNet();
  });
}

void MainWindow::makeRunMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&Run"));
  m_transport->fillMenu(menu);
}

void MainWindow::makeViewMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&View"));
  menu->addActions(m_modes->actions());
  menu->addSeparator();
  menu->addAction(m_build->compactAction());
  QMenu* themes = menu->addMenu(tr("&Theme"));
  auto* group = new QActionGroup(this);
  const QStringList names{tr("System"), tr("Light"), tr("Dark")};
  for (int i = 0; i < names.size(); ++i) {
    QAction* action = themes->addAction(names[i], this, [this, i] { m_theme.setChoice(static_cast<ThemeChoice>(i)); });
    action->setCheckable(true);
    action->setChecked(static_cast<int>(m_theme.choice()) == i);
    group->addAction(action);
  }
  menu->addSeparator();
  menu->addAction(tr("Next panel"), QKeySequence("F6"), this, [this] { focusNextPanel(1); });
  menu->addAction(tr("Previous panel"), QKeySequence("Shift+F6"), this, [this] { focusNextPanel(-1); });
}

void MainWindow::makeHelpMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&Help"));
  menu->addAction(tr("&What is this?"), QKeySequence("F1"), this, &MainWindow::helpOnFocus);
  menu->addAction(tr("&About Strata"), this, [this] {
    QMessageBox::about(this, tr("About Strata"),
                       tr("Strata %1\nBuild, train and understand neural networks.\n\nThe studio is free software "
                          "under the GNU General Public License, version 3 or later.")
                           .arg(QCoreApplication::applicationVersion()));
  });
}

void MainWindow::makeStatusBar() {
  m_dataFacts = makeLabel(m_theme, {}, Theme::Text::Caption, "text2");
  m_dataFacts->setObjectName("dataFacts");
  m_saved = makeLabel(m_theme, {}, Theme::Text::Caption, "text2");
  m_seed = makeLabel(m_theme, {}, Theme::Text::Caption, "text2");
  m_dataFacts->setContentsMargins(8, 0, 0, 0);
  m_seed->setContentsMargins(8, 0, 12, 0);
  statusBar()->addWidget(m_dataFacts);
  statusBar()->addPermanentWidget(m_saved);
  statusBar()->addPermanentWidget(m_seed);
  statusBar()->setSizeGripEnabled(false);
}

void MainWindow::connectSession() {
  connect(&m_document, &Document::changed, this, [this] {
    updateTitle();
    updateStatus();
  });
  connect(&m_document, &Document::pathChanged, this, [this] {
    updateTitle();
    updateStatus();
  });
  connect(&m_loader, &DataLoader::changed, this, &MainWindow::updateStatus);
  connect(&m_loader, &DataLoader::folderChosen, this, [this] {
    m_banner->hide();
    showPage("data");
  });
  connect(&m_loader, &DataLoader::folderRefused, this, &MainWindow::showError);
  connect(&m_loader, &DataLoader::fetchFailed, this, [this](const QString&, const QString& sentence) {
    if (!sentence.isEmpty()) showError(sentence);
  });
  connect(&m_session, &TrainingSession::finished, this, [this] {
    if (m_session.state() != Trainer::State::Failed) return;
    m_runProblem = QString::fromStdString(m_session.run().reason);
    if (m_session.canGoOnWithCpu())
      m_banner->showOffer(m_runProblem, tr("Go on with the CPU"), [this] { m_session.goOnWithCpu(); });
    else showError(m_runProblem);
  });
  connect(&m_session, &TrainingSession::runStarted, this, [this] { m_banner->withdraw(m_runProblem); });
  connect(&m_session, &TrainingSession::refused, this, &MainWindow::showError);
  connect(&m_document, &Document::refused, this, &MainWindow::showError);
  connect(m_files, &ProjectFiles::opened, this, [this] {
    m_build->selectDearest();
    showPage("build");
  });
  connect(m_files, &ProjectFiles::saved, this,
          [this] { m_saved->setText(tr("Saved %1").arg(QDateTime::currentDateTime().toString("HH:mm"))); });
}

void MainWindow::showPage(const QString& id) {
  m_pages->setCurrentWidget(page(id));
  m_modes->actions()[m_pages->currentIndex()]->setChecked(true);
}

QWidget* MainWindow::page(const QString& id) const {
  const auto& all = allPages();
  const auto found = std::find_if(all.begin(), all.end(), [&](const PageDef& def) { return def.id == id; });
  return m_pages->widget(int(found - all.begin()));
}

void MainWindow::showMessage(const QString& sentence) { statusBar()->showMessage(sentence, kMessageMs); }

void MainWindow::showError(const QString& text) { m_banner->showText(text); }

void MainWindow::openFile(const QString& given) {
  const QFileInfo file(given);
  const QString path = file.absoluteFilePath();  // it is remembered for the next start, which may be elsewhere
  const QString suffix = file.suffix().toLower();
  if (pictureSuffixes().contains(suffix)) {
    showPage("test");
    return m_test->drawing()->openFile(path);
  }
  if (file.isDir()) return m_loader.chooseFolder(path.toStdString());
  if (suffix == "gz" || suffix.endsWith("ubyte"))
    return m_loader.chooseFolder(file.absolutePath().toStdString(), path.toStdString());
  m_files->open(path);
}

void MainWindow::changeEvent(QEvent* event) {
  QMainWindow::changeEvent(event);
  if (event->type() == QEvent::ActivationChange && isActiveWindow()) m_files->look();
}

void MainWindow::chooseDataFolder() {
  const QString folder = QFileDialog::getExistingDirectory(this, tr("Choose the folder that holds the data"));
  if (folder.isEmpty()) return;
  m_loader.chooseFolder(folder.toStdString());
  QSettings settings;
  settings.setValue("dataFolder", QString::fromStdString(m_loader.dataFolder().string()));
  settings.sync();
  if (settings.status() != QSettings::NoError)
    showError(tr("The folder is used now but not remembered: %1 cannot be written.").arg(settings.fileName()));
}

void MainWindow::updateTitle() {
  const QString name =
      m_document.path().isEmpty() ? titleText(m_document.project().name) : QFileInfo(m_document.path()).fileName();
  setWindowTitle(tr("%1[*] — Strata").arg(name));
  setWindowModified(m_document.dirty());
}

void MainWindow::updateStatus() {
  m_dataFacts->setText(m_loader.facts());
  m_seed->setText(tr("Seed %1").arg(m_document.project().training.seed));
  if (m_document.dirty() || m_document.path().isEmpty())
    m_saved->setText(m_document.path().isEmpty() && !m_document.dirty() ? QString() : tr("Not saved"));
}

/// Panels are what the splitter of the page in front holds, after the two bars.
void MainWindow::focusNextPanel(int step) {
  QList<QWidget*> panels{m_transport};
  if (const auto* splitter = m_pages->currentWidget()->findChild<QSplitter*>())
    for (int i = 0; i < splitter->count(); ++i) panels << splitter->widget(i);
  int at = -1;
  for (int i = 0; i < panels.size(); ++i)
    if (QApplication::focusWidget() && panels[i]->isAncestorOf(QApplication::focusWidget())) at = i;
  const qsizetype count = panels.size();
  QWidget* panel = panels[(at + step + count) % count];
  for (QWidget* widget : panel->findChildren<QWidget*>())
    if (widget->isVisible() && widget->isEnabled() && widget->focusPolicy() & Qt::TabFocus)
      return widget->setFocus(Qt::ShortcutFocusReason);
}

void MainWindow::helpOnFocus() {
  const QWidget* widget = QApplication::focusWidget();
  if (!widget) return;
  QString text;
  if (const auto* view = qobject_cast<const QAbstractItemView*>(widget))
    text = view->currentIndex().data(Qt::WhatsThisRole).toString();
  for (; widget && text.isEmpty(); widget = widget->parentWidget())
    text = widget->whatsThis().isEmpty() ? widget->toolTip() : widget->whatsThis();
  if (text.isEmpty()) text = tr("No help for this.");
  const QWidget* focus = QApplication::focusWidget();
  QWhatsThis::showText(focus->mapToGlobal(QPoint(focus->width() / 2, std::min(focus->height(), 60))), text);
}

void MainWindow::restoreState() {
  QSettings settings;
  if (!restoreGeometry(settings.value("geometry").toByteArray())) resize(kFirstSize);
  fitToScreen();
  for (QSplitter* splitter : findChildren<QSplitter*>())
    if (!splitter->objectName().isEmpty())
      splitter->restoreState(settings.value("splitters/" + splitter->objectName()).toByteArray());
}

/// The whole window, its frame included, is to be seen on the screen it is on, whatever screen it was left on.
void MainWindow::fitToScreen() {
  const QRect room = screen()->availableGeometry();
  // The frame that a desktop will put around it is not known before the window is shown.
  const int bar = style()->pixelMetric(QStyle::PM_TitleBarHeight);
  const int edge = style()->pixelMetric(QStyle::PM_MdiSubWindowFrameWidth);
  const QRect inside = room.marginsRemoved({edge, bar, edge, edge});
  setMinimumSize(kSmallest.boundedTo(inside.size()));
  if (isMaximized() || isFullScreen()) return;
  QRect window = geometry();
  window.setSize(window.size().boundedTo(inside.size()));
  window.moveLeft(std::clamp(window.left(), inside.left(), inside.right() - window.width() + 1));
  window.moveTop(std::clamp(window.top(), inside.top(), inside.bottom() - window.height() + 1));
  setGeometry(window);
}

void MainWindow::storeState() {
  QSettings settings;
  settings.setValue("geometry", saveGeometry());
  settings.setValue("theme", static_cast<int>(m_theme.choice()));
  settings.setValue("lastFile", m_document.path());
  for (const QSplitter* splitter : findChildren<QSplitter*>())
    if (!splitter->objectName().isEmpty())
      settings.setValue("splitters/" + splitter->objectName(), splitter->saveState());
}

void MainWindow::closeEvent(QCloseEvent* event) {
  if (!m_files->confirmDiscard()) return event->ignore();
  m_session.stopAndWait();  // the run's weights and curves are written before the window goes
  storeState();
  event->accept();
}

/// Where there is little room the modes go by their words alone, so that the state of the run can be read.
void MainWindow::resizeEvent(QResizeEvent* event) {
  QMainWindow::resizeEvent(event);
  const bool narrow = width() < kNarrow;
  for (auto* button : m_modeBar->findChildren<QToolButton*>())
    if (button->property("mode").toBool())
      button->setToolButtonStyle(narrow ? Qt::ToolButtonTextOnly : Qt::ToolButtonTextBesideIcon);
  m_transport->setNarrow(narrow);
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  for (const QUrl& url : event->mimeData()->urls()) {
    if (url.isLocalFile()) openFile(url.toLocalFile());
    else showError(tr("%1 is not a file on this computer.").arg(url.toDisplayString()));
  }
}

}  // namespace strata::gui
