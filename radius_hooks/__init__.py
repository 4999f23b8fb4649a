"""What runs inside FreeRADIUS: the hook, the policy store and the decision."""
