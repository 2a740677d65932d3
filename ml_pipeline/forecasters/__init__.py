"""Forecasters: trained on the next bar, fed back for as many as wanted, judged at every horizon."""
