"""Clock and calendar of the bar's open time, UTC."""

from __future__ import annotations

import math

from features.catalogue.feature import Group
from features.catalogue.parts import day, time_of_day
from features.inputs import HOUR, QUARTER_HOUR, ts
from features.language import cosine, day_of_month, floordiv, mod, month_of_year, sine

time = Group("time")
add = time.add

hour = add("hour", floordiv(time_of_day, HOUR), "Hour, 0 … 23")
weekday = add("day_of_week", mod(day + 3, 7), "Day of the week, Monday is 0")
add("day_of_month", day_of_month(ts), "Day of the month, 1 … 31")
month = add("month", month_of_year(ts), "Month, 1 … 12")
add("quarter", floordiv(month + 2, 3), "Quarter, 1 … 4")
add(
    "quarter_hour", floordiv(time_of_day, QUARTER_HOUR), "Quarter of an hour since midnight, 0 … 95"
)
turn = time_of_day / (HOUR * 24) * (2 * math.pi)
add("tod_sin", sine(turn), "Time of day on a circle, sine")
add("tod_cos", cosine(turn), "Time of day on a circle, cosine")
add("dow_sin", sine(weekday * (2 * math.pi / 7)), "Day of the week on a circle, sine")
add("dow_cos", cosine(weekday * (2 * math.pi / 7)), "Day of the week on a circle, cosine")
add("is_weekend", weekday >= 5, "Whether it is Saturday or Sunday")
add("session_asia", hour < 8, "Whether it is before 8:00")
add("session_us", (hour >= 13) & (hour < 21), "Whether it is from 13:00 to 21:00")
