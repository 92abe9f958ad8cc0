"""Budgets: how much the hardware of an owner may cost in a day, a week or a month, and what happens when that is used up."""
