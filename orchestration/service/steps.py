"""The steps of one turn: plain functions from small references to small references.

Every step takes the :class:`~orchestration.service.refs.TurnRef` first, reads what earlier steps
left in ``<home>/work/<turn_id>/``, leaves its own result there in one atomic write, and is skipped
when that result is present and valid. So any step may be repeated, and a turn that was killed
anywhere and is started again reaches the same end.

================================  ===============================================================
step                              what it returns
================================  ===============================================================
``begin(settings, now)``          ``Begun``: the turn, and whether there is anything to do
``fetch(turn, symbol)``           ``Fetched``: new bars, repair report (the only network step)
``dataset(turn)``                 ``Dataset``: one panel of features and labels on disk
``ledger(turn, kind)``            ``Ledgered``: predictions of the versions in service, outcomes
``drift(turn, kind)``             ``Drifted``: OK, WARN, DRIFT, HARM or LEARNING with figures
``fit(turn, kind)``               ``Fits``: the baseline and each recipe of a kind, as ONNX
``judge(turn, kind)``             ``Judged``: verdicts on the holdout, opened once
``publish(turn, kind)``           ``Published``: bundle folders, MLflow runs, pictures
``decide(turn, kind)``            ``Decided``: promote, refresh, keep, roll back; with a sentence
``serve(turn, kind)``             ``Served``: first predictions of versions new in service
``ensembles(turn)``               ``Ensembled``: equal-weight blends and their gate
``report(turn)``                  ``dict``: the whole turn, JSON-able
``finish(turn)``                  ``dict``: the report, with its status; the work folder is pruned
``fail(turn, stage, subject, e)`` ``Failure``: what a caller records when a step raised
================================  ===============================================================

Order: ``begin → fetch(symbol)* → dataset → ledger(kind)* → drift(kind)*``, beside it
``fit(kind)*`` (``LONGEST_FIRST``), then per kind ``judge → publish → decide → serve``, and at last
``ensembles → report → finish``. A step that fails raises. The caller records it with ``fail`` and
goes on with the other symbols or kinds; ``dataset`` raises ``TurnFailed`` when nothing is left.
All steps of one turn run under ``turn_lock(settings)``: two turns never overlap.
"""

from __future__ import annotations
