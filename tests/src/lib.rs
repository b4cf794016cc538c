//! The suite as a whole is tested here, in targets of their own: there is nothing to use.
