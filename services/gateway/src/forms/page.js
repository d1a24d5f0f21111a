// Renders the published schema of a form where a page has
//   <section data-reflex-form="{form}" data-reflex-key="{write key}"></section>
// and posts what people fill in. It keeps nothing, loads nothing else, and writes texts, never markup. Pages style it by
// the classes reflex-form, reflex-field, reflex-hint, reflex-error, reflex-status and reflex-done.
(function () {
  'use strict';

  var script = document.currentScript;
  if (!script || !script.src) return;
  var base = new URL('forms/', script.src);
  var TIMEOUT_MS = 30000;

  var WORDS = {
    zh: {
      send: '提交', sending: '正在提交…', done: '提交成功，您的编号：', choose: '请选择', from: '从', to: '到',
      red: '红（尽快）', yellow: '黄（本周）', green: '绿（不急）', wrong: '请检查标出的内容。',
      failed: '提交失败，请稍后再试。', sent: '已经提交过了。需要再次填写时，请刷新页面。',
      absent: '表单暂时无法显示，请稍后再试。'
    },
    en: {
      send: 'Send', sending: 'Sending…', done: 'Thank you. Your number: ', choose: 'Please choose', from: 'From', to: 'To',
      red: 'Red (at once)', yellow: 'Yellow (this week)', green: 'Green (no hurry)', wrong: 'Please check what is marked.',
      failed: 'This could not be sent. Please try again later.',
      sent: 'This was sent already. Reload the page to fill it in again.',
      absent: 'The form cannot be shown at the moment. Please try again later.'
    }
  };

  function element(name, attributes, children) {
    var made = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      var value = attributes[key];
      if (value === true) made.setAttribute(key, '');
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, String(value));
    });
    (children || []).forEach(function (child) {
      made.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
    });
    return made;
  }

  function languageOf(place) {
    var around = place.closest('[lang]');
    var tag = (around && around.getAttribute('lang')) || '';
    return tag.toLowerCase().split('-')[0] === 'en' ? 'en' : 'zh';
  }

  function addressOf(place, below) {
    return new URL(encodeURIComponent(place.getAttribute('data-reflex-form')) + (below || ''), base);
  }

  // One id for each rendering: a post that is sent again, by a second click or after a lost answer, is the same lead.
  function newRequestId() {
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    var hex = Array.prototype.map.call(bytes, function (byte) {
      return (byte + 256).toString(16).slice(1);
    }).join('');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  var renderings = 0;

  function Form(place, shown, language) {
    this.place = place;
    this.shown = shown;
    this.language = language;
    this.words = WORDS[language];
    this.prefix = 'reflex-' + (renderings += 1) + '-';
    this.requestId = newRequestId();
    this.shownAt = Date.now();
    this.elapsed = null;
    this.busy = false;
    this.errors = {};
    this.controls = {};
    this.status = element('p', { 'class': 'reflex-status', role: 'status', 'aria-live': 'polite' });
    this.button = element('button', { type: 'submit' }, [this.words.send]);
    var fields = shown.fields.map(this.field, this);
    // People do not see it, nor do their browsers and screen readers; programs that fill in everything do.
    this.trap = element('input', { type: 'text', name: 'homepage', tabindex: '-1', autocomplete: 'off' });
    var trap = element('div', { hidden: true, 'aria-hidden': 'true' }, [this.trap]);
    this.form = element('form', { 'class': 'reflex-form', 'accept-charset': 'utf-8' },
      fields.concat([trap, this.button, this.status]));
    this.form.addEventListener('submit', this.submit.bind(this));
    place.appendChild(this.form);
  }

  // Returns the field with its label, its hint and the place for what is wrong with it.
  Form.prototype.field = function (field) {
    var label = field.label[this.language];
    var marked = field.required ? [label, element('span', { 'aria-hidden': 'true' }, [' *'])] : [label];
    var hint = field.hint[this.language];
    var about = hint ? [element('p', { 'class': 'reflex-hint', id: this.prefix + field.id + '-hint' }, [hint])] : [];
    var attributes = { 'class': 'reflex-field', 'data-field': field.id };
    var parts = this.input(field);
    if (parts.length === 1) {
      var heading = element('label', { 'for': parts[0].control.id }, marked);
      return element('div', attributes, [heading].concat(about, parts[0].shown));
    }
    var shown = parts.reduce(function (all, part) { return all.concat(part.shown); }, []);
    return element('fieldset', attributes, [element('legend', {}, marked)].concat(about, shown));
  };

  // Returns what is filled in: one part for most kinds, several for choices and ranges.
  Form.prototype.input = function (field) {
    var self = this;
    var limit = field.max_length > 0 ? field.max_length : null;
    var text = function (type, complete) {
      return self.part(field, field.id, 'input', { type: type, autocomplete: complete, maxlength: limit });
    };
    switch (field.kind) {
      case 'long_text': return [this.part(field, field.id, 'textarea', { rows: 4, maxlength: limit })];
      case 'phone': return [text('tel', 'tel')];
      case 'email': return [text('email', 'email')];
      case 'single_select': return [this.select(field)];
      case 'multi_select': return this.choices(field, 'checkbox', field.options.map(function (option) {
        return { value: option.value, label: option.label[self.language] };
      }));
      case 'urgency': return this.choices(field, 'radio', ['red', 'yellow', 'green'].map(function (value) {
        return { value: value, label: self.words[value] };
      }));
      case 'number_range': return ['min', 'max'].map(function (end) {
        var word = end === 'min' ? self.words.from : self.words.to;
        var bounds = { type: 'number', step: 'any', inputmode: 'decimal', min: field.minimum };
        if (field.maximum > 0) bounds.max = field.maximum;
        // One end is enough, which only the server can tell.
        var part = self.part({ id: field.id, required: false, hint: field.hint }, field.id + '_' + end, 'input', bounds);
        part.shown.unshift(element('label', { 'for': part.control.id }, [word]));
        return part;
      });
      default: return [text('text', null)];
    }
  };

  Form.prototype.part = function (field, name, tag, attributes, children) {
    var id = this.prefix + name;
    var described = [id + '-error'];
    if (field.hint[this.language]) described.unshift(this.prefix + field.id + '-hint');
    attributes.id = id;
    attributes.name = name;
    attributes.required = Boolean(field.required);
    attributes['aria-describedby'] = described.join(' ');
    var control = element(tag, attributes, children);
    this.controls[name] = [control];
    return { control: control, shown: [control, this.errorPlace(name)] };
  };

  Form.prototype.errorPlace = function (name) {
    var error = element('p', { 'class': 'reflex-error', id: this.prefix + name + '-error', role: 'alert' });
    this.errors[name] = error;
    return error;
  };

  Form.prototype.select = function (field) {
    var language = this.language;
    var options = field.options.map(function (option) {
      return element('option', { value: option.value }, [option.label[language]]);
    });
    var nothing = element('option', { value: '' }, [this.words.choose]);
    return this.part(field, field.id, 'select', {}, [nothing].concat(options));
  };

  Form.prototype.choices = function (field, type, choices) {
    var self = this;
    var name = field.id;
    this.controls[name] = [];
    var parts = choices.map(function (choice, at) {
      var id = self.prefix + name + '-' + at;
      var control = element('input', {
        type: type, id: id, name: name, value: choice.value, required: type === 'radio' && field.required,
        'aria-describedby': self.prefix + name + '-error'
      });
      self.controls[name].push(control);
      return { control: control, shown: [element('label', { 'for': id }, [control, ' ' + choice.label])] };
    });
    // The place for errors makes a group of a single choice, too.
    parts.push({ control: null, shown: [this.errorPlace(name)] });
    return parts;
  };

  Form.prototype.answers = function () {
    var controls = this.controls;
    // Kept from the first try on: a post that is sent again says the same.
    if (this.elapsed === null) this.elapsed = Math.max(0, Date.now() - this.shownAt);
    var answers = { form_version: this.shown.version, request_id: this.requestId, elapsed_ms: this.elapsed };
    if (this.trap.value) answers.honeypot = this.trap.value;
    Object.keys(controls).forEach(function (name) {
      var group = controls[name];
      if (group.length === 1 && !/^(checkbox|radio)$/.test(group[0].type)) {
        answers[name] = group[0].value;
        return;
      }
      answers[name] = group.filter(function (control) { return control.checked; })
        .map(function (control) { return control.value; });
    });
    return answers;
  };

  Form.prototype.submit = function (event) {
    event.preventDefault();
    if (this.busy) return;
    this.setBusy(true);
    this.clear();
    var self = this;
    var stopper = new AbortController();
    var timer = setTimeout(function () { stopper.abort(); }, TIMEOUT_MS);
    fetch(addressOf(this.place), {
      method: 'POST',
      credentials: 'omit',
      signal: stopper.signal,
      headers: {
        'content-type': 'application/json',
        'accept-language': this.language === 'en' ? 'en' : 'zh-CN',
        'x-write-key': this.place.getAttribute('data-reflex-key')
      },
      body: JSON.stringify(this.answers())
    }).then(function (answer) {
      return answer.json().then(function (body) {
        if (answer.ok) self.done(body.number);
        else self.refused(body);
      });
    }).catch(function () {
      self.status.textContent = self.words.failed;
    }).then(function () {
      clearTimeout(timer);
      self.setBusy(false);
    });
  };

  Form.prototype.setBusy = function (busy) {
    this.busy = busy;
    this.button.disabled = busy;
    this.button.textContent = busy ? this.words.sending : this.words.send;
    if (busy) this.status.textContent = '';
  };

  Form.prototype.clear = function () {
    var self = this;
    Object.keys(this.errors).forEach(function (name) {
      self.errors[name].textContent = '';
      self.controls[name].forEach(function (control) { control.removeAttribute('aria-invalid'); });
    });
  };

  Form.prototype.refused = function (problem) {
    var self = this;
    var first = null;
    (problem.violations || []).forEach(function (violation) {
      var error = self.errors[violation.field];
      if (!error) return;
      error.textContent = violation.description;
      self.controls[violation.field].forEach(function (control) { control.setAttribute('aria-invalid', 'true'); });
      first = first || self.controls[violation.field][0];
    });
    if (first) {
      this.status.textContent = this.words.wrong;
      first.focus();
    } else {
      this.status.textContent = problem.reason === 'REQUEST_ID_REUSED' ? this.words.sent : this.words.failed;
    }
  };

  Form.prototype.done = function (number) {
    var told = element('p', { 'class': 'reflex-done', role: 'status', tabindex: '-1' }, [this.words.done + number]);
    this.place.replaceChild(told, this.form);
    told.focus();
  };

  function render(place) {
    if (place.hasAttribute('data-reflex-rendered')) return;
    place.setAttribute('data-reflex-rendered', '');
    var language = languageOf(place);
    var address = addressOf(place, '/schema');
    address.searchParams.set('k', place.getAttribute('data-reflex-key'));
    fetch(address, { credentials: 'omit' }).then(function (answer) {
      if (!answer.ok) throw new Error('the form answered ' + answer.status);
      return answer.json();
    }).then(function (shown) {
      new Form(place, shown, language);
    }).catch(function () {
      place.appendChild(element('p', { 'class': 'reflex-status', role: 'status' }, [WORDS[language].absent]));
    });
  }

  function renderAll() {
    Array.prototype.forEach.call(document.querySelectorAll('[data-reflex-form]'), render);
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', renderAll);
  else renderAll();
})();
