"""The reference flash-sale shop and the payment provider simulator, a black box behind HTTP."""
