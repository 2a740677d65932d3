"""The simulated market: every bar a pure function of seed, symbol and minute.

The log price is the sum of two parts, a random walk W and a transitory part X:

* W moves by shocks ε = σ·e. e is Student-t or normal, partly common to all symbols. ln σ is the sum
  of a season (hour, weekday), two AR(1) parts of 20 and 180 minutes half-life and one of 5 days.
* X = −θ Σ φᵏ ε(t−k): the market digests a share θ of each shock late, with a half-life of 7
  minutes. Returns then carry on in the direction of the recent past; θ = 0 plants nothing. From
  the day ``flips`` on θ is negative: shocks go too far, and returns turn back.

How a bar can be had without its whole past: a cheap random walk over days gives the first price
and the total move of each day, and the minutes are bridged between the two with weights σ²/Σσ².
For normal shocks this gives exactly independent minutes again (Brownian motion, cut at midnights).
Each AR part starts a whole day before the day it is used for.
"""
