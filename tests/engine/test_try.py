from fleet import Fleet, outcomes, shown, site, step
def test_x():
    f = Fleet()
    doc = site({"file": {"a": {"path": "/etc/a", "content": "1\n"}}, "directory": {"d": {"path": "/srv/d"}},
      "user": {"u": {}}, "line": {"l": {"path": "/etc/b", "line": "x"}},
      "command": {"c": {"argv": ["true"], "run": "once"}}})
    f.host.place("/etc/b", "1\n")
    p = f.plan(doc)
    print(shown(p))
    r = f.apply(p)
    print(outcomes(r))
    print([ (k,v) for k,v in r.outcomes.items() if v.__class__.__name__=="Failure"])
    assert shown(f.plan(doc)) == {}
    assert 0
