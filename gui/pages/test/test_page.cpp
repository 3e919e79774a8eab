// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/test/test_page.h"

#include <QElapsedTimer>
#include <QRandomGenerator>
#include <QSignalBlocker>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>
#include <numeric>
#include <tuple>

#include "gui/models/runs_model.h"
#include "gui/widgets/label.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kAskMs = 33;   ///< drawing: at most 30 answers a second
constexpr int kChunk = 500;  ///< test images between two looks at more urgent requests

/// All that one look at a drawing gives.
struct Answer {
  std::optional<PreparedPicture> prepared;
  std::vector<float> probabilities;
  PrepStrip::Answers without;
  std::vector<std::vector<float>> activations;
  double milliseconds = 0;
};

QString shortAnswer(const std::vector<float>& probabilities, const QStringList& classes) {
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  return TestPage::tr("off: %1, %2 %")
      .arg(classes.value(int(best - probabilities.begin())))
      .arg(double(*best) * 100, 0, 'f', 0);
}

Answer look(Predictor& predictor, const Picture& picture, PrepChoice choice, const Preprocessing& preprocessing,
            const QStringList& classes) {
  Answer answer;
  const auto shape = predictor.network().input;
  answer.prepared = preparePicture(picture, shape, preprocessing, choice);
  if (!answer.prepared) return answer;
  QElapsedTimer timer;
  timer.start();
  const auto sample = netInput(answer.prepared->final, preprocessing);
  answer.probabilities = predictor.predict(sample);
  answer.milliseconds = double(timer.nsecsElapsed()) / 1e6;
  bool PrepSteps::*const flags[] = {&PrepSteps::crop, &PrepSteps::fit, &PrepSteps::centre};
  for (std::size_t i = 0; i < PrepStrip::kSteps && answer.prepared->framing == Framing::Mnist; ++i) {
    if (!(choice.steps.*flags[i])) continue;
    auto fewer = choice;
    fewer.steps.*flags[i] = false;
    if (const auto other = preparePicture(picture, shape, preprocessing, fewer))
      answer.without[i] = shortAnswer(predictor.predict(netInput(other->final, preprocessing)), classes);
  }
  answer.activations = predictor.activations(sample);
  return answer;
}

/// What a person should know about the way the picture went into the net.
QString findings(const PreparedPicture& prepared) {
  QStringList found;
  if (prepared.inverted)
    found << (prepared.framing == Framing::Mnist
                  ? TestPage::tr("Dark ink on light paper: the picture was inverted.")
                  : TestPage::tr("The picture was inverted to match the data that the net learned from."));
  if (prepared.shapes > 1)
    found << TestPage::tr("There seem to be %1 separate shapes: the net answers for one.").arg(prepared.shapes);
  return found.join(' ');
}

/// One for each class of the net; those without a name go by number.
QStringList classNames(const std::vector<std::string>& known, int classes) {
  QStringList names;
  for (int i = 0; i < classes; ++i)
    names << (i < int(known.size()) ? QString::fromStdString(known[std::size_t(i)]) : QString::number(i));
  return names;
}

/// "epoch 3, step 1,407": which weights a figure is of.
QString weightsText(int epoch, std::uint64_t step) {
  return TestPage::tr("epoch %1, step %2").arg(epoch).arg(number(qint64(step)));
}

}  // namespace

bool TestPage::Subject::sameRunAs(const Subject& other) const {
  return run == other.run && network == other.network && preprocessing == other.preprocessing && data == other.data;
}

TestPage::TestPage(Theme& theme, TrainingSession& session, DataLoader& loader, QWidget* parent)
    : QWidget(parent), m_session(session), m_data(session, loader) {
  setObjectName("testPage");
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  m_drawing = new DrawingPanel(theme, this);
  m_prediction = new PredictionPanel(theme, this);
  m_testSet = new TestSetPanel(theme, this);
  m_drawing->setMinimumWidth(316);
  m_prediction->setMinimumWidth(280);
  m_testSet->setMinimumWidth(392);
  auto* splitter = new QSplitter(this);
  splitter->setObjectName("testSplitter");
  for (QWidget* part :
       {static_cast<QWidget*>(m_drawing), static_cast<QWidget*>(m_prediction), static_cast<QWidget*>(m_testSet)})
    splitter->addWidget(part);
  splitter->setStretchFactor(1, 1);
  splitter->setSizes({384, 570, 486});
  splitter->setCollapsible(0, false);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(makeWeightsRow(theme));
  column->addWidget(makeLine(this));
  column->addWidget(splitter, 1);
  m_ask.setSingleShot(true);
  m_ask.setInterval(kAskMs);
  connect(&m_ask, &QTimer::timeout, this, &TestPage::ask);
  connect(m_drawing->canvas(), &Canvas::changed, this, &TestPage::askSoon);
  connect(m_drawing->strip(), &PrepStrip::choiceChanged, this, &TestPage::askSoon);
  connect(m_drawing, &DrawingPanel::randomWanted, this, &TestPage::randomImage);
  connect(m_testSet, &TestSetPanel::putOnCanvas, this,
          [this](int index) { openTestImage(m_testSet->dataset(), index); });
  connect(&m_loader, &RunsLoader::loaded, this, &TestPage::refreshRuns);
  connect(&m_worker, &PredictionWorker::failed, this, &TestPage::fail);
  connect(&session, &TrainingSession::snapshotReady, this, &TestPage::takeSnapshot);
  connect(&m_data, &RunData::changed, this, [this] {
    chooseWeights();
    evaluate();
  });
  connect(&session, &TrainingSession::runStarted, this, &TestPage::refreshRuns);
  connect(&session, &TrainingSession::historyChanged, this, &TestPage::refreshEpochs);
  connect(&session, &TrainingSession::epochDone, this, &TestPage::refreshEpochs);
  connect(&session, &TrainingSession::finished, this, [this] {
    refreshRuns();
    if (isVisible()) m_loader.load();
  });
  chooseWeights();
}

QWidget* TestPage::makeWeightsRow(const Theme& theme) {
  auto* bar = new QWidget(this);
  m_run = new QComboBox(bar);
  m_run->setObjectName("weightsRun");
  m_run->setAccessibleName(tr("Run whose weights are tested"));
  m_run->setMinimumWidth(160);
  m_run->setMaximumWidth(280);
  m_run->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  m_run->setPlaceholderText(tr("No run yet"));
  m_slider = new WeightsSlider(theme, bar);
  m_firstEpoch = makeLabel(theme, {}, Theme::Text::Caption, "text2", bar);
  m_lastEpoch = makeLabel(theme, {}, Theme::Text::Caption, "text2", bar);
  m_badge = makeLabel(theme, {}, Theme::Text::Caption, "accent", bar);
  m_badge->setProperty("badge", "good");
  m_badge->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
  m_accuracy = makeLabel(theme, {}, Theme::Text::Body, "text2", bar);
  m_follow = new QCheckBox(tr("Follow training"), bar);
  m_follow->setObjectName("followTraining");
  m_follow->setChecked(true);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(12, 6, 12, 6);
  row->setSpacing(10);
  row->addWidget(makeLabel(theme, tr("Weights"), Theme::Text::Body, "text2", bar));
  row->addWidget(m_run);
  row->addWidget(m_firstEpoch);
  row->addWidget(m_slider, 3);
  row->addWidget(m_lastEpoch);
  row->addWidget(m_badge);
  row->addWidget(m_accuracy);
  row->addStretch(2);
  row->addWidget(m_follow);
  connect(m_run, &QComboBox::currentIndexChanged, this, &TestPage::refreshEpochs);
  // Whoever chooses weights by hand wants those, not the newest ones.
  connect(m_run, &QComboBox::activated, this, [this] {
    if (!following()) m_follow->setChecked(false);
  });
  connect(m_slider, &WeightsSlider::epochChanged, this, [this] {
    if (following()) m_follow->setChecked(false);
    else chooseWeights();
  });
  connect(m_follow, &QCheckBox::toggled, this, [this](bool follow) {
    if (follow) refreshRuns();  // to the run in progress
    else chooseWeights();
  });
  return bar;
}

bool TestPage::following() const {
  const auto* run = chosenRun();
  return m_follow->isChecked() && m_session.active() && run && run->folder == m_session.run().folder;
}

const RunRecord* TestPage::chosenRun() const {
  const int i = m_run->currentIndex();
  return i >= 0 && i < int(m_runs.size()) ? &m_runs[std::size_t(i)] : nullptr;
}

void TestPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  m_loader.load();
  chooseWeights();  // they may have changed while the page was hidden
  ask();
  evaluate();
}

void TestPage::refreshRuns() {
  const auto* former = chosenRun();
  const Path kept = m_session.active() && m_follow->isChecked() ? m_session.run().folder
                    : former                                    ? former->folder
                                                                : Path();
  std::vector<RunRecord> runs;
  if (m_session.hasRun()) runs.push_back(m_session.run());
  for (const auto& run : m_loader.runs()) {
    if (run.folder != m_session.run().folder && !keptEpochs(run).empty()) runs.push_back(run);
  }
  {
    const QSignalBlocker block(m_run);
    m_runs = std::move(runs);
    m_run->clear();
    int index = m_runs.empty() ? -1 : 0;
    for (std::size_t i = 0; i < m_runs.size(); ++i) {
      m_run->addItem(tr("%1 · %2").arg(runTitle(m_runs[i]), startedText(m_runs[i])));
      if (m_runs[i].folder == kept) index = int(i);
    }
    m_run->setCurrentIndex(index);
    m_run->setEnabled(!m_runs.empty());
    m_run->setToolTip(m_runs.empty() ? tr("No run has finished an epoch yet") : tr("The run whose weights are tested"));
  }
  refreshEpochs();
}

void TestPage::refreshEpochs() {
  if (const auto* run = chosenRun()) {
    const bool live = run->folder == m_session.run().folder;
    const auto& record = live ? m_session.run() : *run;
    const auto epochs = keptEpochs(record);
    const QSignalBlocker block(m_slider);
    m_slider->setEpochs(epochs, record.bestEpoch);
    m_firstEpoch->setText(epochs.empty() ? QString() : tr("epoch %1").arg(epochs.front()));
    m_lastEpoch->setText(epochs.size() < 2 ? QString() : QString::number(epochs.back()));
  }
  chooseWeights();
}

void TestPage::chooseWeights() {
  m_follow->setEnabled(m_session.active());
  m_follow->setToolTip(m_session.active() ? tr("Always use the newest weights of the run in progress")
                                          : tr("No run is in progress"));
  if (following()) return takeSnapshot();
  const auto* run = chosenRun();
  const int epoch = m_slider->epoch();
  const bool live = run && run->folder == m_session.run().folder;
  if (run && epoch > 0) {
    setWeights(checkpointSource(run->folder, epoch), live ? m_session.run() : *run, epoch);
  } else if (live && m_session.snapshot()) {
    setWeights({m_session.snapshot()}, m_session.run(), m_session.snapshot()->epoch);
  } else {
    noWeights();
  }
}

void TestPage::noWeights() {
  m_subject.reset();
  forgetAnswers();
  m_badge->hide();
  m_accuracy->clear();
  const QString sentence = tr("No weights yet: answers are chance until a run has finished an epoch.");
  clearAnswer(sentence);
  m_testSet->clear(sentence);
}

void TestPage::takeSnapshot() {
  if (!following()) return;
  if (!m_session.snapshot()) noWeights();
  else if (isVisible()) setWeights({m_session.snapshot()}, m_session.run(), m_session.snapshot()->epoch);
}

void TestPage::setWeights(const WeightSource& source, const RunRecord& run, int epoch) {
  m_data.choose(run);
  Subject subject{source,           run.project.network, run.project.data.preprocessing, run.folder, epoch,
                  m_data.dataset(), m_data.own()};
  showWeightsText(run, epoch, source.snapshot.get());
  if (m_subject == subject) return;
  const bool sameRun = m_subject && m_subject->sameRunAs(subject);
  if (!m_subject || !(m_subject->network == subject.network)) m_prediction->maps()->setNetwork(subject.network);
  m_subject = std::move(subject);
  // Following a run, what was asked of one snapshot is answered although the next is here; the answer says of which it
  // is. What was asked of weights that somebody chose against is not.
  if (!sameRun || !source.snapshot) {
    forgetAnswers();
    m_drawing->setMessage({});
  }
  if (!sameRun) {
    clearAnswer({});
    m_testSet->setDataset(m_subject->data);
    m_testSet->clear({});
  }
  ask();
  evaluate();
}

void TestPage::forgetAnswers() {
  m_worker.forget();
  m_evaluated.reset();
  m_evaluating = false;
}

void TestPage::showWeightsText(const RunRecord& run, int epoch, const WeightSnapshot* live) {
  const bool best = epoch > 0 && epoch == run.bestEpoch && !live;
  m_badge->setText(live   ? tr("Newest: step %1").arg(number(qint64(live->step)))
                   : best ? tr("★ Epoch %1, best").arg(epoch)
                          : tr("Epoch %1").arg(epoch));
  m_badge->show();
  m_accuracy->setText({});
  const auto monitor = monitorOf(run.project.training);
  for (const auto& e : run.epochs) {
    if (e.epoch != epoch) continue;
    const auto figure =
        tr("%1 %2 %3")
            .arg(run.project.data.validation == ValidationSource::TestSet ? tr("test set") : tr("validation"),
                 figureName(monitor), figureText(monitor, e.value(monitor)));
    m_accuracy->setText(live ? tr("epoch %1: %2").arg(epoch).arg(figure) : figure);  // the badge is further on
  }
}

QString TestPage::unfit() const {
  const auto& input = m_subject->network.input;
  if (!namesClasses(m_subject->network)) return tr("This net was trained to give back its samples; it names no class.");
  if (readsPictures(input)) return {};
  return tr("This net reads samples of %1; a picture has one grey channel or three of colour.")
      .arg(QString::fromStdString(input.text()));
}

QString TestPage::unfitData() const {
  const auto& [data, network] = std::tie(m_subject->data, m_subject->network);
  if (!data)
    return m_data.remark().isEmpty() ? tr("The data that the run trained on are being loaded.") : m_data.remark();
  const QString title = QString::fromStdString(data->title);
  if (!namesClasses(network)) return tr("This net was trained to give back its samples; it names no class.");
  if (data->test.count == 0) return tr("%1 has no test images.").arg(title);
  if (!(data->shape == network.input))
    return tr("The net reads samples of %1, those of %2 are %3.")
        .arg(QString::fromStdString(network.input.text()), title, QString::fromStdString(data->shape.text()));
  if (int(data->classes.size()) > network.classes)
    return tr("The net tells %1 classes apart, %2 has %3.").arg(network.classes).arg(title).arg(data->classes.size());
  return {};
}

void TestPage::askSoon() {
  if (!m_ask.isActive()) m_ask.start();
}

void TestPage::ask() {
  if (!isVisible() || !m_subject) return;
  if (const auto reason = unfit(); m_drawing->canvas()->empty() || !reason.isEmpty())
    return clearAnswer(reason.isEmpty() ? tr("Draw a digit, drop a picture, or take a random test image.") : reason);
  const auto& put = m_drawing->canvas()->picture();
  const bool drawn = put.isNull();
  const auto picture = toPicture(drawn ? m_drawing->canvas()->image() : put);
  const auto wanted = m_drawing->strip()->choice();
  const auto subject = *m_subject;
  m_worker.post(
      subject.weights, PredictionWorker::Kind::Drawing, [=, this](LoadedWeights& weights) -> PredictionWorker::Deliver {
        const bool ownData = subject.data && subject.ownData;
        const auto& names = ownData ? subject.data->classes : weights.classes;
        const auto classes = classNames(names, subject.network.classes);
        const auto preprocessing = resolved(subject.preprocessing, subject.network.input, names);
        auto choice = wanted;
        if (drawn && choice.framing == Framing::Auto) choice.framing = preprocessing.framing;  // whatever its size
        auto answer = std::make_shared<Answer>(look(*weights.predictor, picture, choice, preprocessing, classes));
        return [this, answer, classes, of = weightsText(weights.epoch, weights.step)] {
          if (m_drawing->canvas()->empty()) return;
          if (!answer->prepared) return showNothingFound();
          m_prediction->bars()->setAnswer(answer->probabilities, classes);
          m_prediction->maps()->setActivations(std::move(answer->activations));
          m_prediction->setHint(tr("%1 · %2 ms on CPU, updated as you draw")
                                    .arg(of)
                                    .arg(answer->milliseconds, 0, 'f', answer->milliseconds < 0.1 ? 2 : 1));
          m_drawing->strip()->setPrepared(*answer->prepared, answer->without);
          m_drawing->setFinding(findings(*answer->prepared));
        };
      });
}

/// A picture on which nothing stands out must not keep the answer to the one before.
void TestPage::showNothingFound() {
  clearAnswer(tr("Nothing stands out on this picture: there is nothing to recognise."));
  m_drawing->setFinding({});
}

void TestPage::clearAnswer(const QString& why) {
  m_prediction->bars()->setEmptyText(why);
  m_prediction->bars()->setAnswer({}, {});
  m_prediction->maps()->setActivations({});
  m_prediction->setHint({});
  m_drawing->strip()->clear();
}

/// While a run is followed, once an epoch is plenty; an evaluation under way ends on the weights it began with.
void TestPage::evaluate() {
  if (!isVisible() || !m_subject || m_evaluating) return;
  if (const auto reason = unfitData(); !reason.isEmpty()) return m_testSet->clear(reason);
  const bool done = m_evaluated && m_evaluated->sameRunAs(*m_subject) && m_evaluated->epoch == m_subject->epoch &&
                    (m_subject->weights.snapshot || m_evaluated->weights == m_subject->weights);
  if (done) return;
  m_evaluated = m_subject;
  m_evaluating = true;
  m_testSet->setPending(tr("Epoch %1 is being judged.").arg(m_subject->epoch));
  evaluateFrom(0, std::make_shared<std::vector<Verdict>>());
}

/// One chunk in the worker, the next asked for when it is back: a drawing never waits for more than a chunk.
void TestPage::evaluateFrom(int first, std::shared_ptr<std::vector<Verdict>> answers) {
  const auto subject = *m_evaluated;
  m_worker.post(subject.weights, PredictionWorker::Kind::Evaluation,
                [=, this](LoadedWeights& weights) -> PredictionWorker::Deliver {
                  const Samples& samples = subject.data->test;
                  std::vector<int> indices(std::size_t(std::min(kChunk, samples.count - first)));
                  std::iota(indices.begin(), indices.end(), first);
                  const auto verdicts = judge(*weights.predictor, samples, indices, subject.preprocessing);
                  answers->insert(answers->end(), verdicts.begin(), verdicts.end());
                  return [this, answers, next = first + kChunk, epoch = weights.epoch, step = weights.step] {
                    if (next < m_evaluated->data->test.count) evaluateFrom(next, answers);
                    else showVerdicts(std::move(*answers), epoch, step);
                  };
                });
}

void TestPage::showVerdicts(std::vector<Verdict> verdicts, int epoch, std::uint64_t step) {
  m_evaluating = false;
  m_testSet->setVerdicts(
      std::move(verdicts), classNames(m_evaluated->data->classes, m_evaluated->network.classes),
      tr("%1, on %2").arg(weightsText(epoch, step), QString::fromStdString(m_evaluated->data->title)),
      m_evaluated->ownData ? QString() : m_data.remark());
  evaluate();  // the run that is followed may have trained on meanwhile
}

/// What is on show would be of other weights than those that were asked for.
void TestPage::fail(PredictionWorker::Kind kind, const QString& reason) {
  if (kind == PredictionWorker::Kind::Drawing) {
    clearAnswer(reason);
    m_drawing->setMessage(reason, true);
  } else {
    m_evaluating = false;
    m_testSet->clear(reason);
  }
}

void TestPage::openTestImage(const std::shared_ptr<const Dataset>& data, int index) {
  if (!data || index < 0 || index >= data->test.count) return;
  m_drawing->canvas()->setPicture(sampleImage(data->test, data->shape, index), tr("Test image"));
  const auto label = classNames(data->classes, int(data->classes.size())).value(data->test.labels[std::size_t(index)]);
  m_drawing->setMessage(tr("Test image %1 of %2, a %3").arg(number(index), QString::fromStdString(data->title), label));
}

/// Of the data that the weights belong to, so that the net is asked what it knows.
void TestPage::randomImage() {
  const auto& data = m_subject && m_subject->data ? m_subject->data : m_session.dataset();
  if (data && data->test.count > 0) openTestImage(data, int(QRandomGenerator::global()->bounded(data->test.count)));
}

}  // namespace strata::gui
